# SPDX-License-Identifier: Apache-2.0
"""How much is read and decoded has one end each: at it, and not one value behind it."""

from __future__ import annotations

from pathlib import Path

import pytest

from radiomicnet_md.errors import InputError
from radiomicnet_md.io import source


@pytest.mark.verifies("SRS-INP-006", rc=("RC-013",))
@pytest.mark.parametrize(
    ("extents", "code"),
    [
        ((1, source.MAX_SAMPLES + 1, 1, 1), "E-INPUT-TOO-LARGE"),
        ((2, source.MAX_SAMPLES // 2, 1, 2), "E-INPUT-TOO-LARGE"),
        ((1, 0, 96, 1), "E-INPUT-NO-SAMPLES"),
        ((-1, -96, 96, 1), "E-INPUT-NO-SAMPLES"),
    ],
)
def test_a_claim_is_refused_before_anything_is_made_for_it(extents: tuple[int, int, int, int], code: str) -> None:
    source.check_bounds(1, source.MAX_SAMPLES, 1, 1)
    with pytest.raises(InputError) as caught:
        source.check_bounds(*extents)
    assert caught.value.code == code


@pytest.mark.verifies("SRS-INP-006", rc=("RC-013",))
def test_a_file_of_one_byte_too_many_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MAX_FILE_BYTES", 100)
    path = tmp_path / "file"
    path.write_bytes(bytes(100))
    assert source.load(path) == bytes(100)
    path.write_bytes(bytes(101))
    with pytest.raises(InputError) as caught:
        source.load(path)
    assert caught.value.code == "E-INPUT-TOO-LARGE"
