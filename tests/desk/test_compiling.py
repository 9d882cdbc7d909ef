# SPDX-License-Identifier: Apache-2.0
"""Compiled code lies in a folder of its user alone, and is used from there."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from radiomicnet_md import compiling
from radiomicnet_md.errors import ConfigurationError

pytestmark = pytest.mark.verifies("SRS-REL-009")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the user's cache, not made yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "elsewhere"))
    return tmp_path / "radiomicnet-md" / "kernels"


@pytest.mark.parametrize("mode", [None, 0o777])
def test_the_folder_is_made_for_its_user_alone(cache: Path, mode: int | None) -> None:
    if mode is not None:
        cache.mkdir(parents=True)
        cache.chmod(mode)
    compiling.use_private_cache()
    assert os.environ["NUMBA_CACHE_DIR"] == str(cache)
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700


@pytest.mark.verifies("SRS-REL-009", rc=("RC-008",))
def test_a_link_and_a_file_in_its_place_are_refused(cache: Path, tmp_path: Path) -> None:
    cache.parent.mkdir()
    (tmp_path / "other").mkdir()
    cache.symlink_to(tmp_path / "other")
    for _ in range(2):
        with pytest.raises(ConfigurationError) as caught:
            compiling.use_private_cache()
        assert (caught.value.code, os.environ["NUMBA_CACHE_DIR"]) == ("E-CACHE", str(tmp_path / "elsewhere"))
        cache.unlink()
        cache.write_text("")


def test_another_account_s_folder_is_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: cache.parent.parent.stat().st_uid + 1)
    with pytest.raises(ConfigurationError, match="another account"):
        compiling.use_private_cache()


def test_the_wait_is_said_until_it_is_over(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import numba

    from radiomicnet_md.radiomics import jit

    assert jit.__name__  # its import chooses the folder of this version, which is exchanged here
    said: list[str] = []
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "kernels-of-this-version"))
    compiling.announce(said.append)
    assert len(said) == 1
    made = tmp_path / "kernels-of-this-version" / "kernels_0"
    made.mkdir(parents=True)
    (made / "layers.dense-1.nbc").write_bytes(b"")
    compiling.announce(said.append)
    assert len(said) == 1


def test_nothing_that_a_desk_is_opened_with_imports_the_compiler() -> None:
    """Or the folder would be chosen too late, and the code run from one that others may write to."""
    code = (
        "import sys\n"
        "import radiomicnet_md.delivery, radiomicnet_md.desk, radiomicnet_md.opening, radiomicnet_md.replay\n"
        "import radiomicnet_md.review.report, radiomicnet_md.checkup\n"
        "from radiomicnet_md.compiling import use_private_cache\n"
        "assert not {'numba', 'torch'} & set(sys.modules)\n"
        "use_private_cache()\n"
        "import os, numba\n"
        "from radiomicnet_md.radiomics import jit\n"
        "print(numba.config.CACHE_DIR.startswith(os.environ['NUMBA_CACHE_DIR'] + os.sep))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "True", done.stderr


@pytest.mark.verifies("SRS-ENG-001")
@pytest.mark.parametrize("given", [None, "ACTIVE"])
def test_threads_that_wait_sleep_unless_the_site_has_them_spin(given: str | None) -> None:
    """OpenMP says itself what it has read, when the threads of the kernels are launched."""
    program = (
        "from radiomicnet_md.radiomics import jit; import numba; from numba.np.ufunc import parallel\n"
        "parallel._launch_threads(); print(numba.threading_layer())"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    chosen = {} if given is None else {"OMP_WAIT_POLICY": given}
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={**environment, **chosen, "OMP_DISPLAY_ENV": "TRUE", "NUMBA_THREADING_LAYER": "omp"},
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert ended.stdout.strip() == "omp"
    assert f"OMP_WAIT_POLICY = '{given or 'PASSIVE'}'" in ended.stderr
