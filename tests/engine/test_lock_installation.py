# SPDX-License-Identifier: Apache-2.0
"""Code and packages other than the release and the home name stop the device before a case, each with its own code."""

from __future__ import annotations

import base64
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from radiomicnet_md import __version__, opening
from radiomicnet_md.engine import installation
from radiomicnet_md.engine.release import Release
from radiomicnet_md.engine.state import State
from radiomicnet_md.errors import ConfigurationError, ExitCode, NotQualifiedError
from radiomicnet_md.home import Home
from radiomicnet_md.qualified import Standing

pytestmark = pytest.mark.verifies("SRS-REL-008")
NAME = "lockprobe"
MODULE, CONTENT = f"{NAME}/__init__.py", b"THRESHOLD = 4\n"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages with one in it, which is the device's only dependency."""
    about = tmp_path / f"{NAME}-1.2.3.dist-info"
    about.mkdir()
    (tmp_path / NAME).mkdir()
    (tmp_path / MODULE).write_bytes(CONTENT)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1.2.3\n")
    digest = base64.urlsafe_b64encode(hashlib.sha256(CONTENT).digest()).rstrip(b"=").decode()
    rows = [f"{MODULE},sha256={digest},{len(CONTENT)}", f"{NAME}/__pycache__/x.pyc,,", f"{about.name}/RECORD,,"]
    (about / "RECORD").write_text("\n".join(rows) + "\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(installation, "DEPENDENCIES", (NAME,))
    return tmp_path


def refused(call: Callable[[], object], code: str) -> None:
    with pytest.raises(NotQualifiedError) as caught:
        call()
    assert (caught.value.code, caught.value.exit_code) == (code, ExitCode.NOT_QUALIFIED)
    assert caught.value.remedy


def lock(version: str) -> dict[str, bytes]:
    return {installation.LOCK: f"# a comment\nother==1\n{NAME.upper()}=={version}\n".encode()}


def test_what_was_installed_and_frozen_is_accepted(site: Path) -> None:
    manifest = {installation.CODE_VERSION: __version__}
    installation.refuse_drift(manifest, lock("1.2.3"), installation.record_digests())
    installation.refuse_changed_files(thorough=True)


@pytest.mark.parametrize(
    ("content", "found_by"), [(b"THRESHOLD = 5\n", "bytes"), (b"THRESHOLD = 40\n", "size"), (None, "size")]
)
def test_a_changed_file_is_found_by_its_bytes_and_another_size_already_at_the_start(
    site: Path, content: bytes | None, found_by: str
) -> None:
    (site / MODULE).unlink() if content is None else (site / MODULE).write_bytes(content)
    assert list(installation.changed_files(thorough=True)) == [MODULE]
    if found_by == "bytes":
        assert list(installation.changed_files(thorough=False)) == []
        refused(lambda: installation.refuse_changed_files(thorough=True), "E-INSTALLATION-FILE")
    else:
        frozen = installation.record_digests()
        refused(lambda: installation.refuse_drift({}, {}, frozen), "E-INSTALLATION-FILE")


@pytest.mark.verifies("SRS-REL-008", rc=("RC-008",))
def test_a_package_installed_anew_or_removed_is_refused(site: Path) -> None:
    frozen = installation.record_digests()
    record = site / f"{NAME}-1.2.3.dist-info" / "RECORD"
    record.write_text(record.read_text().replace("sha256=", "sha256=x"))
    refused(lambda: installation.refuse_drift({}, {}, frozen), "E-INSTALLATION-CHANGED")
    record.unlink()
    refused(lambda: installation.refuse_drift({}, {}, frozen), "E-INSTALLATION-CHANGED")


def test_another_version_than_the_lock_names_is_refused_and_a_build_tag_is_none(site: Path) -> None:
    refused(lambda: installation.refuse_drift({}, lock("1.2.4"), {}), "E-DEPENDENCY-OTHER")
    metadata = site / f"{NAME}-1.2.3.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text().replace("1.2.3", "1.2.3+cpu"))
    installation.refuse_drift({}, lock("1.2.3"), {})


def test_a_lock_that_leaves_a_dependency_out_is_no_lock(site: Path) -> None:
    with pytest.raises(ConfigurationError, match=NAME):
        installation.locked_versions(b"torch==2.13.0\n")


@pytest.mark.parametrize("version", ["99.0.0", __version__.split(".")[0] + ".99.0"])
def test_a_release_built_by_another_series_of_this_program_is_refused(version: str) -> None:
    refused(lambda: installation.refuse_drift({installation.CODE_VERSION: version}, {}, {}), "E-CODE-OTHER")


@pytest.mark.verifies("SRS-REL-004")
def test_a_device_whose_packages_changed_is_degraded_and_gets_no_engine(site: Path) -> None:
    home = Home(site, clinical=False, origin="o", stored_passphrase=True, installed={NAME: "0" * 64})
    problem, state = opening._started(Release(site, {}, "", "", {}), home, Standing(lacks=("iq",)))
    assert isinstance(problem, NotQualifiedError)
    assert (problem.code, state) == ("E-INSTALLATION-CHANGED", State.DEGRADED)
