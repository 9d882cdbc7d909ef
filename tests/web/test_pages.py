# SPDX-License-Identifier: Apache-2.0
"""What a reviewer is shown is what the record says, and nothing is shown of what does not hold."""

from __future__ import annotations

import hashlib
import io
import json
import re
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radiomicnet_md import people, shelf
from radiomicnet_md.decision import LOGIT_BITS
from radiomicnet_md.delivery import Target
from radiomicnet_md.desk import segment_file
from radiomicnet_md.privacy import erasure
from radiomicnet_md.privacy import people as patients
from radiomicnet_md.web.books import SORTS, Books, Wanted
from radiomicnet_md.web.words import WORDS
from tests import desks
from tests.web.conftest import Site, SmallEngine


@pytest.fixture
def reader(site: Site) -> Site:
    assert site.sign_in("rita").status_code == 303
    return site


def _picture(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.verifies("SRS-PAG-001")
def test_the_worklist_shows_every_decision_with_state_answer_release_and_verification(reader: Site) -> None:
    text = reader.client.get("/").text
    for record_id in vars(reader.cases).values():
        assert f"/records/{record_id}" in text
    assert text.count("verified") >= 4
    assert "fake@1.2.3" in text
    assert "to be reviewed" in text


@pytest.mark.verifies("SRS-PAG-007")
def test_filters_sorting_and_pages_give_each_decision_once(reader: Site) -> None:
    books = reader.house.books
    everything = books.page(Wanted())
    assert everything.found == 4
    seen: list[int] = []
    after = None
    while True:
        found = books.page(Wanted(sort="state", after=after, size=1))
        seen += found.indices
        after = found.after
        if after is None:
            break
    assert sorted(seen) == sorted(everything.indices)
    assert books.page(Wanted(state="REFUSED")).found == 1
    assert books.page(Wanted(signed=True)).found == 0
    assert books.page(Wanted(since="9998-01-01")).found == 0
    assert books.page(Wanted(until="2000-01-01")).found == 0
    assert books.page(Wanted(release="fake@1.2.3")).found == 4
    assert books.page(Wanted(release="other@1")).found == 0
    oldest = books.page(Wanted(sort="oldest"))
    assert oldest.indices == everything.indices[::-1]


@pytest.mark.verifies("SRS-PAG-007")
def test_a_record_that_comes_later_is_on_the_first_page_and_moves_no_other(reader: Site) -> None:
    first = reader.house.books.page(Wanted(size=2))
    reader.sign_in("nobody", "no passphrase of anybody")  # an entry that is no decision
    following = reader.house.books.page(Wanted(size=2, after=first.after))
    assert not set(first.indices) & set(following.indices)
    assert reader.house.books.page(Wanted()).found == 4


@pytest.mark.verifies("SRS-PAG-001")
def test_the_case_shows_sum_checks_values_proof_and_that_review_is_required(reader: Site) -> None:
    text = reader.client.get(f"/records/{reader.cases.result}").text
    predicate = reader.house.open(reader.cases.result).predicate
    for said in ("review required", "Why this region", "intensity step", "GLCM contrast", "IBSI", "runner-up"):
        assert said in text
    for digest in (predicate["input"]["file_sha256"], predicate["outputs"]["mask_sha256"]):
        assert digest in text
    assert predicate["release"]["version"] in text
    assert all(check["name"] in text for check in predicate["checks"])


@pytest.mark.verifies("SRS-PAG-001")
def test_a_refusal_shows_its_reason_and_no_mask(reader: Site) -> None:
    text = reader.client.get(f"/records/{reader.cases.refused}").text
    assert reader.house.open(reader.cases.refused).predicate["reason"]["code"] in text
    assert "canvas" not in text
    for name in ("image", "outline", "runner-up", "map-rest"):
        assert reader.client.get(f"/records/{reader.cases.refused}/layers/{name}.png").status_code == 404


@pytest.mark.verifies("SRS-PAG-001")
def test_no_lesion_shows_why_none_and_an_empty_outline(reader: Site) -> None:
    text = reader.client.get(f"/records/{reader.cases.none}").text
    assert "no lesion found" in text.lower()
    outline = _picture(reader.client.get(f"/records/{reader.cases.none}/layers/outline.png").content)
    assert not outline[..., 3].any()


@pytest.mark.verifies("SRS-PAG-003")
def test_the_layers_hold_the_recorded_samples_and_the_outline_of_the_recorded_mask(reader: Site) -> None:
    predicate = reader.house.open(reader.cases.result).predicate
    image = shelf.kept_image(reader.home, predicate["input"])
    assert image is not None
    shown = _picture(reader.client.get(f"/records/{reader.cases.result}/layers/image.png").content)
    assert np.array_equal(shown, image.pixels[0, ..., 0])
    kept = shelf.fetch(reader.home, predicate["outputs"]["mask_sha256"])
    assert kept is not None
    mask = np.frombuffer(kept, dtype=np.uint8).reshape(predicate["outputs"]["mask_shape"])
    outline = _picture(reader.client.get(f"/records/{reader.cases.result}/layers/outline.png").content)
    scale = outline.shape[0] // mask.shape[0]
    large = np.kron(mask, np.ones((scale, scale), dtype=np.uint8)).astype(bool)
    amber = (outline[..., :3] == (0xF0, 0xA8, 0x18)).all(axis=2) & (outline[..., 3] == 255)
    assert amber.any()
    assert not (amber & ~large).any()
    core = large.copy()
    for way in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        core &= np.roll(large, way, axis=(0, 1))
    assert (amber | core)[large].all()  # every pixel of the mask is on the line or surrounded by the mask
    runner_up = _picture(reader.client.get(f"/records/{reader.cases.result}/layers/runner-up.png").content)
    assert runner_up.shape == outline.shape


@pytest.mark.verifies("SRS-PAG-002")
def test_a_pixel_is_a_sum_to_the_last_bit_and_all_pixels_together_are_the_records_integrals(reader: Site) -> None:
    predicate = reader.house.open(reader.cases.result).predicate
    rows, columns = predicate["outputs"]["mask_shape"]
    cells: dict[tuple[int, int], dict[str, int]] = {}
    for row in range(0, rows, 7):
        for column in range(0, columns, 9):
            said = reader.client.get(f"/records/{reader.cases.result}/pixels/{row}/{column}").json()
            assert said["logit"] == said["bias"] + sum(said["terms"].values()) + said["rest"]
            assert said["certified"] == (abs(said["bias"] + sum(said["terms"].values())) > said["rho"])
            assert said["bits"] == LOGIT_BITS
            cells[tuple(said["cell"])] = said["terms"]
    from radiomicnet_md.web import evidence

    whole = evidence.load(reader.home, predicate)
    assert whole is not None
    for k, name in enumerate(whole.names):
        assert int(whole.planes[k].sum()) == sum(zone[name] for zone in predicate["pixels"]["integrals"].values())
        assert all(int(whole.planes[k][cell]) == terms[name] for cell, terms in cells.items())
    for at in ("-1/0", f"{rows}/0", f"0/{columns}", "a/b", "0/1e3"):
        assert reader.client.get(f"/records/{reader.cases.result}/pixels/{at}").status_code in {400, 404}


@pytest.mark.verifies("SRS-PAG-003")
@pytest.mark.parametrize("part", ["mask_sha256", "contributions_sha256", "pixels_sha256", "logit"])
def test_a_changed_artefact_blanks_the_view_and_says_why(reader: Site, part: str) -> None:
    predicate = reader.house.open(reader.cases.result).predicate
    digest = {**predicate["outputs"], **predicate["input"], **predicate["stages"]}[part]
    place = shelf.artefact(reader.home, digest)
    place.write_bytes(place.read_bytes()[:-1] + b"\x07")
    text = reader.client.get(f"/records/{reader.cases.result}").text
    assert "E-ARTEFACT-CHANGED" in text
    assert "<canvas" not in text
    assert 'id="sign"' not in text
    for name in ("image", "outline", "map-rest"):
        answer = reader.client.get(f"/records/{reader.cases.result}/layers/{name}.png")
        assert answer.status_code == 409
        assert b"PNG" not in answer.content


@pytest.mark.verifies("SRS-PAG-003")
def test_without_the_image_there_is_no_view_and_nothing_to_sign(reader: Site) -> None:
    predicate = reader.house.open(reader.cases.result).predicate
    shelf.artefact(reader.home, predicate["input"]["pixels_sha256"]).unlink()
    text = reader.client.get(f"/records/{reader.cases.result}").text
    assert WORDS["view.missing"] in text
    assert 'id="sign"' not in text


@pytest.mark.verifies("SRS-PAG-002")
def test_a_home_that_kept_no_logit_shows_the_names_and_at_most_how_much_the_rest_is(reader: Site) -> None:
    predicate = reader.house.open(reader.cases.result).predicate
    shelf.artefact(reader.home, predicate["stages"]["logit"]).unlink()
    said = reader.client.get(f"/records/{reader.cases.result}/pixels/40/40").json()
    assert said["rest"] is None
    assert said["logit"] is None
    assert said["rho"] == predicate["pixels"]["rho"]
    assert reader.client.get(f"/records/{reader.cases.result}/layers/runner-up.png").status_code == 404
    assert reader.client.get(f"/records/{reader.cases.result}/layers/image.png").status_code == 200


@pytest.mark.verifies("SRS-PAG-004", "SRS-PAG-013")
def test_a_record_that_does_not_verify_shows_that_and_nothing_of_its_content(reader: Site) -> None:
    opened = reader.house.open(reader.cases.result)
    secret = opened.predicate["input"]["file_sha256"]
    envelope = bytearray(opened.entry.envelope)
    at = envelope.index(b'"payload":"') + 60
    envelope[at] = ord("A") if envelope[at] != ord("A") else ord("B")
    _rewrite(reader, opened.entry.index, bytes(envelope))
    for path in ("", "/print", "/print.pdf", "/record.txt", "/layers/image.png", "/pixels/1/1"):
        answer = reader.client.get(f"/records/{reader.cases.result}{path}")
        assert answer.status_code == 409, path
        assert secret not in answer.text
        assert "<canvas" not in answer.text
    listed = reader.client.get("/").text
    assert WORDS["list.broken"] in listed
    assert reader.cases.result not in listed


def _rewrite(site: Site, index: int, envelope: bytes) -> None:
    """Change an entry as somebody who owns the disk can."""
    with sqlite3.connect(site.home / "audit.db") as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type='trigger'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        database.execute("UPDATE entry SET envelope = ? WHERE idx = ?", (envelope, index))


@pytest.mark.verifies("SRS-PAG-006")
def test_two_decisions_of_the_same_samples_are_subtracted_and_others_are_not(reader: Site) -> None:
    cases = reader.cases
    text = reader.client.get(f"/compare?one={cases.result}&other={cases.again}").text
    assert "1.0000" in text
    picture = _picture(reader.client.get(f"/compare/{cases.result}/{cases.again}/difference.png").content)
    assert set(map(tuple, picture.reshape(-1, 4))) == {(247, 247, 247, 255), (150, 150, 150, 255)}
    text = reader.client.get(f"/compare?one={cases.result}&other={cases.none}").text
    assert WORDS["compare.unlike"] in text
    assert reader.client.get(f"/compare/{cases.result}/{cases.none}/difference.png").status_code == 404
    assert reader.client.get(f"/compare?one={cases.result}&other={cases.refused}").status_code == 200


@pytest.mark.verifies("SRS-PAG-006")
def test_a_replay_shows_its_verdict_and_is_recorded_with_the_person(reader: Site) -> None:
    answer = reader.post(f"/records/{reader.cases.result}/replay")
    assert answer.status_code == 200
    verdict = re.search(r'id="verdict"><span class="badge \w+">([A-Z ]+)<', answer.text)
    assert verdict is not None
    newest = next(reader.desk.ledger.entries(reader.desk.ledger.size - 1))
    said = reader.desk.ledger.read(newest).predicate
    assert said["operator"] == "rita"
    assert said["verdict"] == verdict.group(1)


@pytest.mark.verifies("SRS-PAG-004")
def test_the_log_is_verified_when_asked_and_its_claims_are_shown(reader: Site) -> None:
    assert WORDS["log.never"] in reader.client.get("/log").text
    size = reader.desk.ledger.size
    assert reader.post("/log/verify").status_code == 303
    text = reader.client.get("/log").text
    assert "holds" in text
    assert reader.house.report is not None
    assert reader.house.report.ok
    assert reader.desk.ledger.size == size


@pytest.mark.verifies("SRS-PAG-008")
def test_reading_writes_nothing_into_the_log(reader: Site) -> None:
    size = reader.desk.ledger.size
    record = f"/records/{reader.cases.result}"
    paths = ["/", record, f"{record}/print", f"{record}/record.txt", "/log", "/api", "/compare", "/passphrase"]
    for path in (*paths, f"{record}/layers/outline.png", f"{record}/pixels/3/3", "/api/records", "/nowhere"):
        reader.client.get(path)
    assert reader.desk.ledger.size == size


@pytest.mark.verifies("SRS-PAG-005")
def test_every_word_of_a_template_is_in_the_catalogue_and_every_word_there_is_used(
    root: pytest.TempPathFactory,
) -> None:
    templates = (root / "radiomicnet_md/web/templates").glob("*.html")  # type: ignore[operator]
    text = "".join(path.read_text(encoding="utf-8") for path in templates)
    used = set(re.findall(r"t\('([^']+)'\)", text))
    made = {f"meaning.{one}{end}" for one in people.MEANINGS for end in ("", ".says")}
    made |= {f"proof.{name}_sha256" for name in ("file", "body", "pixels", "mask", "contributions")}
    assert used | made == set(WORDS)


@pytest.mark.verifies("SRS-PAG-009")
def test_the_api_gives_what_the_log_proves(reader: Site) -> None:
    listed = reader.client.get("/api/records?size=2").json()
    assert listed["found"] == 4
    following = reader.client.get("/api/records", params={"size": 2, "after": listed["after"]}).json()
    ids = [row["record_id"] for row in (*listed["records"], *following["records"])]
    assert sorted(ids) == sorted(vars(reader.cases).values())
    base = f"/api/records/{reader.cases.result}"
    statement = reader.client.get(base).json()["statement"]
    assert statement == json.loads(json.dumps(reader.house.open(reader.cases.result).statement))
    proof = reader.client.get(f"{base}/verification").json()
    assert hashlib.sha256(proof["envelope"].encode()).hexdigest() == proof["envelope_sha256"]
    digests = reader.client.get(f"{base}/artefacts").json()["artefacts"]
    assert statement["predicate"]["outputs"]["mask_sha256"] in digests
    for digest in digests:
        assert hashlib.sha256(reader.client.get(f"{base}/artefacts/{digest}").content).hexdigest() == digest
    assert reader.client.get(f"{base}/signatures").json()["signatures"] == []
    other = reader.client.get(f"/api/records/{reader.cases.none}/artefacts").json()["artefacts"]
    foreign = next(digest for digest in other if digest not in digests)
    assert reader.client.get(f"{base}/artefacts/{foreign}").status_code == 404


@pytest.mark.verifies("SRS-PAG-009")
def test_the_document_of_the_api_names_its_routes_and_no_other(reader: Site) -> None:
    from radiomicnet_md.web.access import ROUTES

    document = reader.client.get("/api/openapi.json").json()
    paths = {path for _, path in ROUTES if path.startswith("/api/") and not path.endswith(".json")}
    assert set(document["paths"]) == paths
    page = reader.client.get("/api").text
    assert all(path in page for path in paths)


class _Still:
    """A log in which nothing happens."""

    size = 100_000

    def entries(self, *_: int) -> list[object]:
        raise AssertionError("the log was read again")

    def events(self, *_: str, **__: int) -> list[object]:
        return []


@pytest.mark.verifies("SRS-PAG-007")
def test_a_hundred_thousand_lines_are_chosen_sorted_and_paged_without_reading_the_log_and_each_once() -> None:
    books = Books(_Still())  # type: ignore[arg-type]
    states, releases = np.arange(100_000) % 3, np.arange(100_000) % 5
    books._rows = [
        (n, int(states[n]), int(releases[n]), n % 7, f"record {n}", f"2026-01-{1 + n % 28:02}T00:00:00.000000Z")
        for n in range(100_000)
    ]
    books._releases = {f"r@{n}": n for n in range(5)}
    books._low, books._high = 0, 100_000
    books.page(Wanted())
    times: list[float] = []
    for sort in SORTS:
        asked = Wanted(state="REFUSED", release="r@3", flagged=True, since="2026-01-05", sort=sort, size=200)
        seen: list[int] = []
        while True:
            start = time.perf_counter()
            found = books.page(asked)
            times.append(time.perf_counter() - start)
            seen += found.indices
            if found.after is None:
                break
            asked = replace(asked, after=found.after)
        assert len(seen) == len(set(seen)) == found.found
        assert {int(states[n]) for n in seen} == {1}
        assert {int(releases[n]) for n in seen} == {3}
        flags = [n % 7 for n in seen]
        assert 0 not in flags
        if sort == "flags":
            assert flags == sorted(flags, reverse=True)
        if sort in {"newest", "oldest"}:
            assert seen == sorted(seen, reverse=sort == "newest")
    assert sorted(times)[len(times) * 95 // 100] < 0.2


@pytest.mark.verifies("SRS-PAG-001")
def test_an_error_shows_its_reason_and_there_is_nothing_to_sign(reader: Site, tmp_path: Path) -> None:
    broken = SmallEngine()
    broken.decide = lambda *_: 1 / 0  # type: ignore[assignment, method-assign, return-value]
    (path,) = desks.write_images(tmp_path / "in", "x.png")
    answer = segment_file(path, replace(reader.desk, engine=broken), Target(tmp_path / "out", "x"))
    assert answer.status == "error"
    text = reader.client.get(f"/records/{answer.record_id}").text
    assert answer.reason is not None
    assert answer.reason.code in text
    assert 'id="sign"' not in text
    assert "<canvas" not in text
    assert reader.client.get("/?state=ERROR").text.count(f"/records/{answer.record_id}") == 1


@pytest.mark.verifies("SRS-PAG-003")
def test_what_was_erased_is_said_so_and_nothing_of_it_is_shown_signed_or_given_out(reader: Site) -> None:
    keeper, record_id = reader.house.keeper, reader.cases.none
    erasure.erase(keeper, patients.of_record(keeper, record_id), "asked for")
    text = reader.client.get(f"/records/{record_id}").text
    assert WORDS["case.erased"] in text
    assert "<canvas" not in text
    assert 'id="sign"' not in text
    assert reader.client.get(f"/records/{record_id}/layers/image.png").status_code == 404
    assert reader.client.get(f"/api/records/{record_id}/artefacts").json()["artefacts"] == []
    assert "erased" in reader.client.get("/").text
