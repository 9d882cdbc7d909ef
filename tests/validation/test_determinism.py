# SPDX-License-Identifier: Apache-2.0
"""Other threads, layouts, batches and processes give the same bits; the whole table is made by `make determinism`."""

from __future__ import annotations

import json

import pytest
import torch
from torch.nn import functional

from radiomicnet_md_validation import determinism
from radiomicnet_md_validation.determinism import CONFIGURATIONS, STAGES, Configuration

pytestmark = pytest.mark.verifies("SRS-ENG-001")
COUNT = 3
HERE = Configuration("here", 1)
FORCED = [one for one in CONFIGURATIONS if one.forced or one.batch > 1 or one.runner == "openvino"]


@pytest.fixture(scope="module")
def expected() -> determinism.Found:
    return determinism.digests(determinism.images(COUNT)[1], HERE)


@pytest.mark.parametrize("configuration", FORCED, ids=lambda one: one.name)
def test_a_forced_way_of_computing_changes_no_bit(configuration: Configuration, expected: determinism.Found) -> None:
    threads = torch.get_num_threads()
    found = determinism.digests(determinism.images(COUNT)[1], configuration)
    torch.set_num_threads(threads)
    assert {stage: found[stage] for stage in STAGES} == {stage: expected[stage] for stage in STAGES}


@pytest.mark.parametrize("name", ["3 threads", "images in reverse order"])
def test_a_fresh_process_gives_the_same_bits(name: str, expected: determinism.Found) -> None:
    (configuration,) = [one for one in CONFIGURATIONS if one.name == name]
    found = determinism.elsewhere(configuration, COUNT)
    assert {stage: found[stage] for stage in STAGES} == {stage: expected[stage] for stage in STAGES}


def test_another_image_has_other_hashes(expected: determinism.Found) -> None:
    """A hash that knew no image would prove nothing."""
    given = determinism.images(COUNT)[1]
    given[0] = given[1]
    found = determinism.digests(given, HERE)
    assert not {found[stage] for stage in (*STAGES, determinism.FLOAT)} & set(expected.values())


def test_what_is_forced_is_forced_and_undone() -> None:
    seen = []
    plain = functional.conv2d
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(functional, "conv2d", lambda x, *_: seen.append(x.is_contiguous()) or x)
        with determinism.force("channels first"):
            functional.conv2d(torch.zeros(2, 3, 8, 8).to(memory_format=torch.channels_last), torch.zeros(4, 3, 1, 1))
    assert seen == [True]
    assert functional.conv2d is plain
    with determinism.force("without oneDNN"):
        assert not torch.backends.mkldnn.enabled
    assert torch.backends.mkldnn.enabled


def test_the_page_counts_hashes_and_names_what_was_not_run(capsys: pytest.CaptureFixture[str]) -> None:
    one = dict.fromkeys((*STAGES, determinism.FLOAT), "0" * 64)
    made = determinism.page({"a": one, "b": one | {determinism.FLOAT: "1" * 64}}, "2 images", None)
    assert "**1 hash of every stage in 2 configurations**" in made
    assert "gives **2**" in made
    assert "GPU and another release of torch: NOT RUN" in made
    assert "**2 hashes" in determinism.page({"a": one, "b": one | {"mask": "1" * 64}}, "2 images", None)
    with pytest.MonkeyPatch.context() as patch:
        for mask, code in (("0" * 64, 0), ("1" * 64, determinism.DIFFERENT)):
            patch.setattr(determinism, "rows", lambda _, mask=mask: {"a": one, "b": one | {"mask": mask}})
            assert determinism.main(["--images", "1"]) == code
    try:
        assert determinism.main(["--images", "1", "--one", "1 thread"]) == 0
    finally:
        torch.use_deterministic_algorithms(mode=False)
    assert set(json.loads(capsys.readouterr().out.splitlines()[-1])) == {*STAGES, determinism.FLOAT}
