# SPDX-License-Identifier: Apache-2.0
"""No page, file or answer of the API says anything of what an image says about its patient."""

from __future__ import annotations

from pathlib import Path

import pytest

from radiomicnet_md.delivery import Target
from radiomicnet_md.desk import expanded, segment_file
from tests import canaries
from tests.io import samples
from tests.web.conftest import Site

_PAGES = ("", "/print", "/record.txt", "/layers/image.png", "/layers/outline.png", "/pixels/3/3")


@pytest.mark.verifies("SRS-PRV-009", "SRS-PAG-003")
def test_no_canary_is_heard_on_any_page(site: Site, tmp_path: Path) -> None:
    paths = [canaries.write(tmp_path / "a.dcm"), samples.put(tmp_path, canaries.singing()[0][:-4000], "b.dcm")]
    ids = [segment_file(path, site.desk, Target(tmp_path / "out", path.stem, "png")).record_id for path in paths]
    (loop,) = expanded([samples.put(tmp_path, samples.loop(samples.frame()[None].repeat(2, axis=0)), "l.dcm")])[:1]
    ids.append(segment_file(loop, site.desk, Target(tmp_path / "out", loop.name, "png")).record_id)
    assert site.sign_in("rita").status_code == 303
    addresses = ["/", "/log", "/api", "/api/records", "/api/openapi.json"]
    for record_id in ids:
        addresses += [f"/records/{record_id}{page}" for page in _PAGES]
        addresses += [f"/api/records/{record_id}{part}" for part in ("", "/verification", "/signatures", "/artefacts")]
    answers = {address: site.client.get(address) for address in addresses}
    assert {answer.status_code for answer in answers.values()} <= {200, 404}
    assert all(answers[f"/records/{record_id}"].status_code == 200 for record_id in ids)
    assert answers[f"/records/{ids[2]}/layers/image.png"].status_code == 200  # a frame is shown as any image
    assert "frame 1 of 2" in answers[f"/records/{ids[2]}/record.txt"].text
    heard = {at: answer.content + repr(answer.headers).encode() for at, answer in answers.items()}
    assert canaries.heard(heard) == []
