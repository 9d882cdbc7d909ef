# SPDX-License-Identifier: Apache-2.0
"""The reference is another code and decides what the engine decides, to the last bit, part by part and as a whole."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from safetensors.numpy import load, save

from radiomicnet_md import phantom
from radiomicnet_md.decision import GRID, LOGIT_BITS, Decision, Region
from radiomicnet_md.engine import contributions, decide, measure, resample
from radiomicnet_md.engine.reference import gating, grid, head, regions, values, whole
from radiomicnet_md.engine.reference import measure as plain
from radiomicnet_md.engine.release import default_folder, open_release
from radiomicnet_md.engine.segment import ANSWERS, PREPROCESSING, TABLES, WEIGHTS, Engine
from radiomicnet_md.radiomics import lbp, named_maps, paper, region, region_definitions
from radiomicnet_md.radiomics.definitions import NAMED
from radiomicnet_md.radiomics.region_tree import Tree
from tests import strategies

Files = dict[str, bytes]
Edit = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def files() -> Files:
    """The files of the release that ships."""
    return dict(open_release(default_folder()).files)


@pytest.fixture(scope="module")
def strip(files: Files) -> Files:
    """The release with one known answer, the engine's, for an image that is quickly measured."""
    source = phantom.make(3, 192, 192).pixels[70:110]
    answers = Engine(files).answers({"strip": source})
    return {**files, ANSWERS: json.dumps(answers).encode(), "golden/strip.npy": array_bytes(source)}


def array_bytes(array: np.ndarray) -> bytes:
    """An array as a .npy file."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def edited(files: Files, name: str, edit: Edit) -> Files:
    """The files with a change in one JSON file."""
    value = json.loads(files[name])
    edit(value)
    return {**files, name: json.dumps(value).encode()}


def said(one: Region) -> tuple[Any, ...]:
    """All that a region says, comparable."""
    return (
        *(one.threshold, one.area_px, one.box, one.intercept, one.score),
        *(dict(one.values), dict(one.terms), one.pixels.tobytes()),
    )


def same_bits(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Whether two arrays of doubles are one bit pattern; the two zeros are one."""
    return ours.shape == theirs.shape and (ours + 0.0).tobytes() == (theirs + 0.0).tobytes()


@pytest.mark.verifies("SRS-ENG-002")
def test_the_reference_loads_neither_an_engine_nor_what_it_checks() -> None:
    code = (
        "import sys, radiomicnet_md.engine.reference.whole\n"
        "rooms = 'radiomicnet_md.engine.', 'radiomicnet_md.radiomics.'\n"
        "print([n for n in ('torch', 'numba', 'scipy', 'safetensors', 'openvino') if n in sys.modules])\n"
        "print(sorted(n for n in sys.modules if n.startswith(rooms) and not n.startswith(rooms[0] + 'reference')))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    others, ours = done.stdout.splitlines()
    assert others == "[]"
    assert ours == "['radiomicnet_md.engine.program', 'radiomicnet_md.radiomics.definitions']"


@pytest.mark.verifies("SRS-ENG-002")
def test_the_reference_gives_a_known_answer_of_the_release(files: Files) -> None:
    inputs = whole.golden_inputs(files)
    assert inputs.keys() == json.loads(files[ANSWERS]).keys()
    assert whole.differences(files, {"lesion-2": inputs["lesion-2"]}) == []


def once(files: Files) -> Files:
    """The release, which looks at the mirror image too, as if it did not: one view with half its weight."""

    def alone(preprocessing: dict[str, Any]) -> None:
        assert preprocessing["mirrored"]
        preprocessing["mirrored"] = False

    return edited(files, PREPROCESSING, alone)


@pytest.mark.verifies("SRS-ENG-002", "SRS-ENG-005")
@pytest.mark.parametrize("views", [2, 1])
def test_a_whole_decision_is_the_engines(files: Files, views: int) -> None:
    seen = files if views == 2 else once(files)
    source = phantom.make(21, 96, 128).pixels
    decision = Engine(seen).decide(source, None)
    answer = whole.decide(seen, source)
    assert decision.candidates > 0
    assert answer.stages == decision.stages
    assert np.array_equal(answer.mask, decision.mask)
    assert whole.first_difference(answer, decision) is None
    for name, other in changes(decision).items():
        assert whole.first_difference(answer, other) == name


def changes(decision: Decision) -> dict[str, Decision]:
    """A decision with one part changed, by the name of the part."""
    more = decision.contributions.copy()
    more[3, 5, 7] += 1
    moved = more.copy()
    moved[4, 5, 7] -= 1
    other = decision.runner_up
    assert other is not None
    name = next(iter(other.terms))
    return {
        "trunk": replace(decision, stages={**decision.stages, "trunk": "0", "mask": "0"}),
        "sum of the contributions": replace(decision, contributions=more),
        "contributions": replace(decision, contributions=moved),
        "candidates": replace(decision, candidates=decision.candidates + 1),
        "chosen": replace(decision, chosen=(*decision.chosen, other)),
        "runner-up": replace(decision, runner_up=replace(other, terms={**other.terms, name: other.terms[name] + 1})),
    }


def _threshold(tables: dict[str, Any]) -> None:
    row = tables["thresholds"][9]
    middle = len(row) // 2
    row[middle] = row[middle - 1]


def _sigmoid(tables: dict[str, Any]) -> None:
    tables["spatial"] = [entry + 8 * (entry < 248) for entry in tables["spatial"]]


def _phi(tables: dict[str, Any]) -> None:
    tables["head"]["phi"][2] = [entry + 1 for entry in tables["head"]["phi"][2]]


def _intercept(tables: dict[str, Any]) -> None:
    tables["region"]["intercept"] += 1 << 40


@pytest.mark.verifies("SRS-ENG-002", "SRS-REL-004")
@pytest.mark.parametrize(
    ("edit", "stage"), [(_threshold, "features"), (_sigmoid, "trunk"), (_phi, "logit"), (_intercept, "mask")]
)
def test_a_changed_table_is_noticed_by_name(strip: Files, edit: Edit, stage: str) -> None:
    changed = edited(strip, TABLES, edit)
    assert whole.differences(changed, whole.golden_inputs(changed)) == [f"strip: {stage}"]


@pytest.mark.verifies("SRS-ENG-002", "SRS-REL-004")
def test_a_flipped_bit_of_a_weight_is_noticed_and_without_it_all_is_well(strip: Files) -> None:
    assert whole.differences(strip, whole.golden_inputs(strip)) == []
    tensors = load(strip[WEIGHTS])
    tensors["stem.weight"][0, 0, 1, 1] ^= 32
    changed = {**strip, WEIGHTS: save(tensors)}
    assert whole.differences(changed, whole.golden_inputs(changed)) == ["strip: trunk"]


@pytest.mark.verifies("SRS-ENG-002")
@given(
    image=arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=260)),
    rows=st.integers(1, 40),
    columns=st.integers(1, 40),
)
@settings(max_examples=25)
def test_resampling_both_ways_is_the_devices(image: np.ndarray, rows: int, columns: int) -> None:
    expected = resample.shrink(image, *resample.fit(*image.shape, GRID))
    assert np.array_equal(grid.shrink(image), expected)
    mask = image[:30, :30] > 127
    assert np.array_equal(grid.enlarge(mask, rows, columns), resample.enlarge_mask(mask, rows, columns))


@pytest.mark.verifies("SRS-ENG-002")
@given(
    image=st.one_of(strategies.grey_levels(most=19), strategies.grey_levels(count=3, most=19)),
    shift=st.integers(0, 4),
    radius=st.integers(1, 7),
    smoothing=st.integers(0, 3),
    data=st.data(),
)
@settings(max_examples=25)
def test_values_maps_and_codes_are_the_devices(
    image: np.ndarray, shift: int, radius: int, smoothing: int, data: st.DataObject
) -> None:
    grey, patterns = image >> np.uint8(shift), lbp.codes(image)
    assert same_bits(plain.values(image, shift), paper.values(image, grey, patterns))
    ours = plain.maps(image, shift, radius, smoothing)
    theirs = named_maps.named(image, grey, patterns, radius, smoothing, step=measure.STEP)
    assert same_bits(ours, theirs)
    relative = theirs - named_maps.means(theirs)[:, None, None]
    assert same_bits(plain.relative(ours), relative)
    finite = np.where(np.isfinite(relative), relative, 0.0).reshape(len(relative), -1)
    picked = data.draw(st.lists(st.integers(0, finite.shape[1] - 1), min_size=1, max_size=9))
    thresholds = np.sort(finite[:, picked], axis=1)  # a threshold that is a value decides the tie
    assert np.array_equal(plain.encode(relative, thresholds), measure.encode(relative, thresholds))


@pytest.mark.verifies("SRS-ENG-002")
@given(deviations=arrays.arrays(np.float64, 13, elements=st.floats(-5, 5)))
@settings(max_examples=30)
def test_the_gate_path_is_the_devices(release_parts: tuple[Engine, dict[str, Any]], deviations: np.ndarray) -> None:
    engine, tables = release_parts
    mean, deviation = (np.array([float.fromhex(v) for v in tables["values"][part]]) for part in ("mean", "deviation"))
    measured = mean + deviations * deviation
    expected = engine.factors(measured)
    found = gating.factors(measured.tolist(), tables, engine.tensors, len(expected))
    assert [one.tolist() for one in found] == [one.tolist() for one in expected]


@pytest.fixture(scope="module")
def release_parts(files: Files) -> tuple[Engine, dict[str, Any]]:
    """The shipped engine and its tables."""
    return Engine(files), json.loads(files[TABLES])


@pytest.mark.verifies("SRS-ENG-002", "SRS-ENG-004")
@given(seed=st.integers(0, 2**32 - 1), views=st.integers(1, 2), scales=st.integers(1, 2), each=st.booleans())
def test_contributions_are_the_devices_and_add_up(seed: int, views: int, scales: int, *, each: bool) -> None:
    random = np.random.default_rng(seed)
    maps = scales * len(NAMED)
    tables = {
        "phi": random.integers(-(2**12), 2**12, (maps, 65)),
        "gate": random.integers(0, 512, 2047),
        "rest": random.integers(-(2**16), 2**16, 2047),
    }
    outputs = random.integers(-1023, 1024, (views, (maps if each else len(NAMED)) + 1, 3, 4))
    codes = random.integers(0, 65, (maps, 3, 4)).astype(np.uint8)
    theirs = contributions.attribute(contributions.Head(**tables, bias=-77, rho=2**17, names=NAMED), outputs, codes)
    named, rest = head.contributions(tables, outputs, codes, len(NAMED))
    assert np.array_equal(named, theirs.contributions)
    assert np.array_equal(rest, theirs.rest)
    assert np.array_equal(head.total(-77, theirs.contributions, theirs.rest), theirs.logit)
    theirs.contributions[1, 2, 3] += 1
    assert not np.array_equal(head.total(-77, theirs.contributions, theirs.rest), theirs.logit)


def region_tables(seed: int) -> dict[str, Any]:
    """Random tables over every value, some edges at values that occur."""
    random = np.random.default_rng(seed)
    terms = {}
    for name in region_definitions.VALUE_NAMES:
        edges = np.unique(random.integers(-500, 4000, 6)).tolist()
        terms[name] = {"edges": edges, "scores": random.integers(-(2**14), 2**14, len(edges) + 1).tolist()}
    return {"intercept": int(random.integers(-(2**14), 2**14)), "terms": terms}


@pytest.mark.verifies("SRS-ENG-002", "SRS-ENG-005")
@given(
    steps=arrays.arrays(np.int64, st.tuples(st.integers(4, 9), st.integers(4, 9)), elements=st.integers(-44, 44)),
    grown=st.integers(1, 3),
    nudge=st.integers(-1, 1),
    seed=st.integers(0, 1000),
    odd=st.booleans(),
)
@settings(max_examples=25)
def test_the_region_layer_is_the_devices(steps: np.ndarray, grown: int, nudge: int, seed: int, *, odd: bool) -> None:
    # Multiples of a quarter of a logit, one unit off: plateaus, holes and evidence at a threshold are common.
    evidence = (steps << (LOGIT_BITS - 2)).repeat(grown, 0).repeat(grown, 1) + nudge
    shape = (2 * evidence.shape[0] - odd, 2 * evidence.shape[1] - odd)
    assert np.array_equal(regions.upsampled(evidence, shape), decide.upsample(evidence, *shape))
    random, tables = np.random.default_rng(seed), region_tables(seed)
    levels = random.integers(0, 256, shape).astype(np.uint8)
    codes = random.integers(0, 65, (len(NAMED), *evidence.shape)).astype(np.uint8)
    theirs = decide.choose(evidence, levels, codes, decide.Tables.from_json(tables))
    chosen, runner_up, candidates = regions.choose(evidence, levels, codes, tables)
    assert candidates == theirs.candidates
    assert [said(one) for one in chosen] == [said(one) for one in theirs.chosen]
    assert (runner_up is None) == (theirs.runner_up is None)
    if runner_up is not None and theirs.runner_up is not None:
        assert said(runner_up) == said(theirs.runner_up)


@pytest.mark.verifies("SRS-ENG-002", "SRS-ENG-005")
@given(nested=strategies.nested_regions(), seed=st.integers(0, 1000))
@settings(max_examples=40)
def test_values_of_any_nested_regions_are_the_devices(nested: tuple[Any, Any], seed: int) -> None:
    tree, random = Tree(*nested), np.random.default_rng(seed)
    levels = random.integers(0, 256, tree.owner.shape).astype(np.uint8)
    half = ((side + 1) // 2 for side in levels.shape)
    codes = random.integers(0, 65, (len(NAMED), *half)).astype(np.uint8)
    masks = [tree.pixels(index) for index in range(len(tree))]
    for mask, row in zip(masks, region.measure(tree, levels, codes).tolist(), strict=True):
        assert values.measure(mask, levels, codes) == dict(zip(region_definitions.VALUE_NAMES, row, strict=True))


@pytest.mark.verifies("SRS-ENG-002", "SRS-ENG-005")
@given(data=st.data(), scores=st.lists(st.integers(-3, 5), max_size=12))
def test_the_choice_among_any_tree_is_the_devices(data: st.DataObject, scores: list[int]) -> None:
    parents = [data.draw(st.integers(-1, i - 1)) for i in range(len(scores))]
    assert regions.select(scores, parents) == decide.select(scores, parents)
