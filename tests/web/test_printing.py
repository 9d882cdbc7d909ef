# SPDX-License-Identifier: Apache-2.0
"""A decision as a file for the folder: whole, with every signature, and the same bytes whenever it is asked for."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from radiomicnet_md import people
from radiomicnet_md.review import pdf
from tests import desks
from tests.web.conftest import Site

pytestmark = pytest.mark.verifies("SRS-PAG-013")


@pytest.fixture
def text_of(require: Callable[[str], Path]) -> Callable[[bytes], str]:
    """What another program reads in a PDF, on one line."""
    program = require("pdftotext")

    def read(data: bytes) -> str:
        done = subprocess.run([program, "-layout", "-", "-"], input=data, capture_output=True, check=True)
        return " ".join(done.stdout.decode().split())

    return read


def test_the_file_says_what_the_page_says_with_every_signature(site: Site, text_of: Callable[[bytes], str]) -> None:
    site.sign_in("rita")
    shown = {"image": "1" * 64, "outline": "2" * 64, "record.txt": "3" * 64}
    people.sign(site.desk, ("rita", desks.OWN), site.cases.result, "override", "zu weit — 乳腺", shown)
    before = site.client.get(f"/records/{site.cases.result}/print.pdf")
    assert before.headers["content-type"] == "application/pdf"
    text = text_of(before.content)
    (signature,) = people.signatures(site.desk.ledger, site.cases.result)
    for part in (
        "Override",
        "Rita Example",
        f"{signature.time_utc[:10]} {signature.time_utc[11:19]} UTC",
        "zu weit — U+4E73",
    ):
        assert part in text
    flat = text.replace(" ", "")
    for part in (site.cases.result, signature.record_id, signature.keyid, *shown.values()):
        assert part in flat
    for part in (
        "RESULT",
        "Why this region",
        "Runner-up",
        "sum",
        "Not a cleared medical device",
        "signed by the key",
    ):
        assert part in text
    assert site.client.get(f"/records/{site.cases.result}/print.pdf").content == before.content


@pytest.mark.parametrize("kind", ["none", "refused"])
def test_every_kind_of_decision_has_its_file(site: Site, kind: str, text_of: Callable[[bytes], str]) -> None:
    site.sign_in("quin")
    record_id = getattr(site.cases, kind)
    text = text_of(site.client.get(f"/records/{record_id}/print.pdf").content)
    assert ("Why there is no result" in text) is (kind == "refused")
    assert "Nobody has signed this decision." in text
    assert record_id in text


def test_a_long_table_goes_on_over_pages_that_are_numbered(text_of: Callable[[bytes], str]) -> None:
    rows = [[f"row {n}", f"{n}"] for n in range(200)]
    made = pdf.document(
        "Long", "the foot", [pdf.Heading("Long", 1), pdf.Table(["name", "value"], rows, frozenset({1}))]
    )
    text = text_of(made)
    assert all(f"row {n} {n}" in text for n in range(200))
    pages = text.count("the foot")
    assert pages > 2
    assert text.count("name value") == pages
    assert f"{pages}/{pages}" in text.replace(" ", "")
