# SPDX-License-Identifier: Apache-2.0
"""Displayed is what was served, all of it and to this session; evidence is what the record says, to the last unit."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from radiomicnet_md import shelf
from radiomicnet_md.errors import IntegrityError
from radiomicnet_md.image import array_bytes
from radiomicnet_md.web import evidence
from radiomicnet_md.web.sessions import Session

RECORD, OTHER = "1" * 26, "2" * 26


@pytest.mark.verifies("SRS-PAG-010", rc=("RC-031",))
def test_only_what_was_served_to_this_session_was_displayed_in_it() -> None:
    session = Session("rita", "keyid", "csrf", 0.0, 0.0)
    image, outline = (session.serve(RECORD, name, name.encode()) for name in ("image", "outline"))
    session.serve(OTHER, "image", b"another image")
    for shown in (
        {},
        {"image": "0" * 64},
        {"image": image, "outline": "0" * 64},
        {"image": outline},
        {"image": image, "mask": image},
    ):
        assert not session.display(RECORD, shown)
    assert not session.display(OTHER, {"image": image})
    assert session.displayed == {}
    assert session.display(RECORD, {"image": image, "outline": outline})
    assert session.displayed == {RECORD: {"image": image, "outline": outline}}


def keep(home: Path, array: Any) -> str:  # noqa: ANN401
    """Keep an array as a home does; its digest."""
    data = array_bytes(array)
    digest = hashlib.sha256(data).hexdigest()
    place = shelf.artefact(home, digest)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    return digest


@pytest.mark.verifies("SRS-PAG-003", rc=("RC-031",))
def test_evidence_whose_rest_is_not_the_recorded_one_or_too_large_is_not_shown(tmp_path: Path) -> None:
    planes = np.arange(24, dtype=np.int64).reshape(2, 3, 4)
    rest = np.full((3, 4), 2, dtype=np.int64)
    sums = {"a": int(planes[0].sum()), "b": int(planes[1].sum()), "rest": int(rest.sum()), "bias": 5 * 12}

    def said(rho: int, **other: int) -> dict[str, Any]:
        return {
            "outputs": {"contributions_sha256": keep(tmp_path, planes)},
            "stages": {"logit": keep(tmp_path, 5 + planes.sum(0) + rest)},
            "pixels": {"integrals": {"all": {**sums, **other}}, "bias": 5, "rho": rho, "logit_bits": 8},
        }

    whole = evidence.load(tmp_path, said(2))
    assert whole is not None
    assert whole.names == ("a", "b")
    for predicate in (said(1), said(2, rest=sums["rest"] + 1)):
        with pytest.raises(IntegrityError):
            evidence.load(tmp_path, predicate)
