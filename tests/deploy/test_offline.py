# SPDX-License-Identifier: Apache-2.0
"""A bundle is installed without a network where every byte of it is as it was sent, and nowhere else."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

pytestmark = pytest.mark.verifies("SRS-OPR-007")
ROOT = Path(__file__).resolve().parents[2]
NEEDED = ("cffi", "cryptography", "pycparser", "rfc8785")  # what the light distribution needs


def wheel_of(name: str, folder: Path) -> None:
    """A wheel of the files of an installed distribution, as its RECORD lists them."""
    found = metadata.distribution(name)
    tag = next(
        line.removeprefix("Tag: ") for line in (found.read_text("WHEEL") or "").splitlines() if line[:5] == "Tag: "
    )
    plain = re.sub(r"[-_.]+", "_", found.metadata["Name"]).lower()
    with zipfile.ZipFile(folder / f"{plain}-{found.version}-{tag}.whl", "w") as archive:
        for path in found.files or ():
            if (
                ".." not in path.parts
                and "__pycache__" not in path.parts
                and path.name not in ("INSTALLER", "REQUESTED")
            ):
                archive.write(Path(str(path.locate())), str(path))


def build(wheels: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "deploy" / "offline" / "bundle.py"), str(wheels), str(out)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def install(bundle: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the installer as a site does, with no way to a network: every request is sent to a port where nobody is."""
    nowhere = {f"{scheme}_proxy": "http://127.0.0.1:9" for scheme in ("http", "https")}
    environment = {"PATH": os.environ["PATH"], "PYTHON": sys.executable, **nowhere}
    command = ["sh", str(bundle / "install.sh"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The light distribution, what it needs, and a stand-in for the large one, whose parts take gigabytes."""
    folder = tmp_path_factory.mktemp("wheels")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT / "audit", check=True, capture_output=True,
    )  # fmt: skip
    for name in NEEDED:
        wheel_of(name, folder)
    version = metadata.version("radiomicnet-md-audit")
    about = f"radiomicnet_md-{version}.dist-info"
    with zipfile.ZipFile(folder / f"radiomicnet_md-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr("standing_in.py", "")
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: radiomicnet-md\nVersion: {version}\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(
            f"{about}/RECORD", f"standing_in.py,,\n{about}/METADATA,,\n{about}/WHEEL,,\n{about}/RECORD,,\n"
        )
    return folder


@pytest.fixture
def bundle(wheels: Path, tmp_path: Path) -> Path:
    made = build(wheels, tmp_path / "bundle")
    assert made.returncode == 0, made.stderr
    return tmp_path / "bundle"


def list_digest(bundle: Path) -> str:
    return hashlib.sha256((bundle / "SHA256SUMS").read_bytes()).hexdigest()


def test_a_bundle_is_installed_without_a_network(wheels: Path, bundle: Path, tmp_path: Path) -> None:
    again = build(wheels, tmp_path / "again")
    assert again.stdout.strip() == list_digest(bundle)
    named = (bundle / "requirements.txt").read_text()
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() in named for path in wheels.iterdir())
    target = tmp_path / "installed"
    run = install(bundle, list_digest(bundle), str(target))
    assert run.returncode == 0, run.stderr
    asked = [target / "bin" / "python", "-I", "-m", "radiomicnet_md_audit", "--help"]
    assert "verify" in subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    assert install(bundle, list_digest(bundle), str(target)).returncode == 2


def _changed(bundle: Path) -> None:
    path = next((bundle / "wheels").glob("rfc8785*"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _cut(bundle: Path) -> None:
    path = next((bundle / "wheels").glob("cryptography*"))
    path.write_bytes(path.read_bytes()[:-100])


def _listed_anew(bundle: Path) -> None:
    """Somebody changes a wheel, and the list with it."""
    path = next((bundle / "wheels").glob("rfc8785*"))
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    _changed(bundle)
    after = hashlib.sha256(path.read_bytes()).hexdigest()
    for name in ("SHA256SUMS", "requirements.txt"):
        (bundle / name).write_text((bundle / name).read_text().replace(before, after))


@pytest.mark.parametrize(
    "change",
    [
        _changed,
        _cut,
        _listed_anew,
        lambda bundle: (bundle / "wheels" / "evil-1-py3-none-any.whl").write_bytes(b"PK"),
        lambda bundle: (bundle / "requirements.txt").write_text("evil==1\n"),
        lambda bundle: next((bundle / "wheels").glob("cffi*")).unlink(),
        lambda bundle: (bundle / "link").symlink_to(bundle / "LICENSE"),
    ],
    ids=["a byte", "cut short", "a new list", "a file more", "other requirements", "a file less", "a link"],
)
def test_a_bundle_that_is_not_what_was_sent_installs_nothing(
    bundle: Path, tmp_path: Path, change: Callable[[Path], object]
) -> None:
    told = list_digest(bundle)
    change(bundle)
    run = install(bundle, told, str(tmp_path / "installed"))
    assert (run.returncode, "not what was sent" in run.stderr) == (4, True)
    assert not (tmp_path / "installed").exists()


def test_what_cannot_be_installed_leaves_nothing_and_a_wrong_call_says_how(bundle: Path, tmp_path: Path) -> None:
    (bundle / "requirements.txt").write_text(
        (bundle / "requirements.txt").read_text() + "absent==1 --hash=sha256:" + "0" * 64 + "\n"
    )
    sums = (bundle / "SHA256SUMS").read_text().splitlines(keepends=True)
    new = hashlib.sha256((bundle / "requirements.txt").read_bytes()).hexdigest()
    (bundle / "SHA256SUMS").write_text("".join(new + line[64:] if "requirements" in line else line for line in sums))
    run = install(bundle, list_digest(bundle), str(tmp_path / "installed"))
    assert (run.returncode, "could not be installed" in run.stderr) == (7, True)
    assert not (tmp_path / "installed").exists()
    assert install(bundle, list_digest(bundle)).returncode == 2
    assert install(bundle, "0" * 64, str(tmp_path / "installed")).returncode == 4


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("rfc8785-0.0.1-py3-none-any.whl", "is not what the lock names"),
        ("strange-1.0-py3-none-any.whl", "nothing of this name"),
        ("numpy-2.tar.gz", "is no wheel"),
        ("rfc8785-0.1.4-py2-none-any.whl", "twice"),
    ],
)
def test_only_wheels_of_the_lock_go_into_a_bundle(wheels: Path, tmp_path: Path, name: str, said: str) -> None:
    shutil.copytree(wheels, tmp_path / "wheels")
    for path in (tmp_path / "wheels").glob("rfc8785*" if "0.0.1" in name else "none"):
        path.unlink()
    (tmp_path / "wheels" / name).write_bytes(b"")
    run = build(tmp_path / "wheels", tmp_path / "bundle")
    assert (run.returncode, said in run.stderr) == (1, True), run.stderr
    assert not (tmp_path / "bundle").exists()


def test_a_bundle_without_this_project_is_none(wheels: Path, tmp_path: Path) -> None:
    shutil.copytree(wheels, tmp_path / "wheels")
    next((tmp_path / "wheels").glob("radiomicnet_md-*")).unlink()
    assert "no wheel of radiomicnet-md" in build(tmp_path / "wheels", tmp_path / "bundle").stderr
