# SPDX-License-Identifier: Apache-2.0
"""A folder is read or refused by name; every case is scored, misses as the worst; small groups are only described."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from radiomicnet_md.errors import Problem
from radiomicnet_md.io.masks import png
from radiomicnet_md_validation import case_set, performance, pixel_probability, sample_size, validating
from tests.io import samples
from tests.validation import cases as made
from tests.validation.cases import Mask, write_folder

ROWS = [
    ("a", "test", "g1", "benign"),
    ("b", "test", "g2", "malignant"),
    ("c", "test", "g3", "normal"),
    ("d", "train", "g4", "benign"),
    ("e", "quarantine", "g1", "benign"),
]
EMPTY = png(np.zeros((96, 128), dtype=np.uint8))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "cases", ROWS)


@pytest.mark.verifies("SRS-PRF-007")
def test_one_split_is_read_ordered_and_quarantine_is_left_out(folder: Path) -> None:
    found = case_set.read(folder, "test")
    assert [one.id for one in found.cases] == ["a", "b", "c"]
    assert found.seen(()) == ()  # e is in quarantine
    assert {one.device for one in found.cases} == {case_set.UNKNOWN}
    (folder / "labels.csv").write_text("id,device\na,probe 7\nb,\n")
    assert [one.device for one in case_set.read(folder, "test").cases] == [
        "probe 7",
        case_set.UNKNOWN,
        case_set.UNKNOWN,
    ]
    before = found.sha256, found.images_sha256
    (folder / "masks" / "a.png").write_bytes(EMPTY)
    after = case_set.read(folder, "test")
    assert after.sha256 != before[0]
    assert after.images_sha256 == before[1]  # the same images are the same closed set


@pytest.mark.verifies("SRS-PRF-002", rc=("RC-044",))
def test_a_group_of_train_and_an_id_of_the_training_record_are_found(folder: Path) -> None:
    table = folder / "splits.csv"
    assert case_set.read(folder, "test").seen(["b", "x"]) == ("b",)
    table.write_text(table.read_text().replace("d,train,g4", "d,other,g1"))
    assert case_set.read(folder, "test").seen(()) == ()
    table.write_text(table.read_text().replace("d,other,g1", "d,train,g1"))
    assert case_set.read(folder, "test").seen(()) == ("a",)


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def table(old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "splits.csv"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    return change


def put(name: str, data: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(data) and None


@pytest.mark.verifies("SRS-PRF-007")
@pytest.mark.parametrize(
    ("change", "split", "code", "words"),
    [
        (without("splits.csv"), "test", "E-VALIDATE-FOLDER", "no splits.csv"),
        (table("class_label", "kind"), "test", "E-VALIDATE-FOLDER", "lacks class_label"),
        (table("a,test,g1", "a,test,"), "test", "E-VALIDATE-FOLDER", "lacks a value"),
        (put("splits.csv", b"\xff\xfe"), "test", "E-VALIDATE-FOLDER", "cannot be read"),
        (table("b,test", "a,test"), "test", "E-VALIDATE-CASES", "more than once"),
        (table("b,test", "b,test"), None, "E-VALIDATE-SPLIT", "test, train"),
        (table("b,test", "b,test"), "quarantine", "E-VALIDATE-SPLIT", "test, train"),
        (without("images/b.png"), "test", "E-VALIDATE-CASES", "b; of the first: no image"),
        (put("images/b.jpg", b""), "test", "E-VALIDATE-CASES", "or several"),
        (without("masks/c.png"), "test", "E-VALIDATE-CASES", "no mask"),
        (put("masks/b.png", b"no image"), "test", "E-VALIDATE-MASK", "cannot be read"),
        (put("masks/b.png", png(np.ones((96, 127), dtype=np.uint8))), "test", "E-VALIDATE-MASK", "another size"),
        (put("masks/c.png", png(np.ones((96, 128), dtype=np.uint8))), "test", "E-VALIDATE-MASK", "normal image"),
    ],
)
def test_a_folder_that_cannot_be_scored_is_refused_by_name(
    folder: Path, change: Callable[[Path], None], split: str | None, code: str, words: str
) -> None:
    change(folder)
    with pytest.raises(Problem, match=words) as raised:
        case_set.read(folder, split)
    assert raised.value.code == code
    assert raised.value.remedy


@pytest.mark.verifies("SRS-PRF-007")
def test_the_only_split_needs_no_name_and_an_image_that_cannot_be_read_is_left_to_the_device(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, [("a", "site", "g1", "benign"), ("b", "site", "g2", "benign")])
    (folder / "images" / "b.png").write_bytes(b"broken")
    assert [one.id for one in case_set.read(folder, None).cases] == ["a", "b"]


@pytest.mark.verifies("SRS-PRF-007")
def test_a_file_of_several_images_is_no_case(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "cases", [("a", "site", "g1", "benign")])
    found = case_set.read(folder, None)
    frames = np.stack([np.roll(samples.frame(), shift, axis=1) for shift in range(3)])
    loop = samples.put(tmp_path, samples.loop(frames), "a.dcm")
    several = dataclasses.replace(found, cases=(dataclasses.replace(found.cases[0], image=loop),))
    with pytest.raises(Problem, match="several images") as raised:
        validating._plan(tmp_path / "out", several, "0" * 64)
    assert raised.value.code == "E-VALIDATE-CASES"


@pytest.mark.verifies("SRS-PRF-006", rc=("RC-021",))
def test_what_has_no_answer_or_no_true_pixel_has_the_worst_of_every_score() -> None:
    truths = made.truths(3, 2)

    def model(number: int, given: Sequence[Mask]) -> Mask | None:
        return (None, np.zeros_like(given[1]), given[2], None, made.disc(5, 5, 4))[number]

    refused, missed, found, unanswered, false = made.answers(model, truths)
    diagonal = math.hypot(*made.SHAPE)
    for one in (refused, missed):
        assert (one.scores.dice, one.scores.nsd, one.scores.hd95, one.area_error) == (0, 0, diagonal, 1)
        assert one.missed
    assert (found.scores.dice, found.missed, found.area_error) == (1, False, 0)
    assert unanswered.scores.dice == 0  # no answer is not the answer "no lesion"
    assert (false.scores.dice, false.missed, false.found) == (0, False, True)
    figures = {one.name: one for one in performance.figures([refused, missed, found, unanswered, false])}
    assert (figures["Dice"].n, figures["Dice"].point) == (3, pytest.approx(1 / 3))
    assert (figures["Normal images with a false region"].n, figures["Normal images with a false region"].point) == (
        1,
        1,
    )
    assert figures["Cases without an answer"].point == 2 / 5
    assert all(one.low is None and one.note == performance.DESCRIPTIVE for one in figures.values())


@pytest.mark.verifies("SRS-PRF-006")
@settings(max_examples=10)
@given(st.integers(20, 90))
def test_subgroups_part_the_lesions_and_small_ones_have_no_interval(lesions: int) -> None:
    found = made.answers(made.good, made.truths(lesions, 3))
    groups = {name: dice for name, dice, _ in performance.subgroups(found)}
    for start in ("class", "size", "device"):
        assert sum(one.n for name, one in groups.items() if name.startswith(start)) == lesions
    for one in groups.values():
        assert (one.low is None) == (one.n < performance.FEWEST)
        assert (one.note == performance.DESCRIPTIVE) == (one.n < performance.FEWEST)
    sizes = [one.n for name, one in groups.items() if name.startswith("size")]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.verifies("SRS-PRF-006")
def test_how_many_cases_a_demand_needs() -> None:
    assert sample_size.cases_for_mean(0.231, 0.063) == 116  # as AC-DSC-01 says
    assert [sample_size.most_events(n, limit) for n, limit in ((117, 0.10), (24, 0.30), (59, 0.05), (5, 0.30))] == [
        6, 3, 0, None,
    ]  # fmt: skip
    for sd, margin in ((0.0, 0.1), (0.2, 0.0)):
        with pytest.raises(ValueError, match="above 0"):
            sample_size.cases_for_mean(sd, margin)


@pytest.mark.verifies("SRS-PRF-006")
def test_the_power_that_a_number_of_cases_promises_is_the_power_it_has() -> None:
    draw, n = np.random.default_rng(3), sample_size.cases_for_mean(0.2, 0.05)
    means = draw.normal(0.75, 0.2, (4000, n))
    lower = means.mean(axis=1) - special.ndtri(0.95) * means.std(axis=1, ddof=1) / math.sqrt(n)
    assert np.mean(lower > 0.70) == pytest.approx(sample_size.POWER, abs=0.02)


@pytest.mark.verifies("SRS-PRF-008")
def test_the_truth_is_read_at_the_centres_of_the_coarser_grid() -> None:
    truth = made.disc(20, 24, 9)
    assert (pixel_probability.at_centres(truth, made.SHAPE) == truth).all()
    half = pixel_probability.at_centres(truth, (20, 24))
    assert half.sum() * 4 == pytest.approx(truth.sum(), rel=0.1)
    assert pixel_probability.at_centres(truth, (1, 1))[0, 0] == truth[20, 24]


@pytest.mark.verifies("SRS-PRF-008")
@pytest.mark.parametrize(("odds", "low", "high"), [(True, 0.0, 0.01), (False, 0.45, 0.55)])
def test_calibrated_evidence_has_no_error_and_evidence_that_is_always_sure_has_one(
    tmp_path: Path, *, odds: bool, low: float, high: float
) -> None:
    from radiomicnet_md import shelf
    from radiomicnet_md.decision import LOGIT_BITS
    from radiomicnet_md.image import array_bytes, array_sha256

    draw = np.random.default_rng(9)
    chance = draw.uniform(0.02, 0.98, (150, 200)) if odds else np.full((150, 200), 0.5)
    truth = draw.random(chance.shape) < chance
    z = special.logit(chance) if odds else np.full(chance.shape, 12.0)
    logit = np.rint(z * (1 << LOGIT_BITS)).astype(np.int64)
    digest = array_sha256(logit)
    place = shelf.artefact(tmp_path, digest)
    place.parent.mkdir(parents=True)
    place.write_bytes(array_bytes(logit))
    evidence = pixel_probability.Evidence()
    evidence.add(tmp_path, {"stages": {"logit": digest}}, truth)
    evidence.add(tmp_path, {"stages": {"logit": "0" * 64}}, truth)
    assert (evidence.cases, evidence.left_out) == (1, 1)
    assert low <= evidence.figures()["calibration error, all pixels"] <= high
    assert pixel_probability.Evidence().figures() == {}
