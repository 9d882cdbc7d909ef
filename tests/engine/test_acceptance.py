# SPDX-License-Identifier: Apache-2.0
"""The gate lets through what is on its list, refuses everything else by name, and writes down what it saw."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydicom.data import get_testdata_file

from radiomicnet_md import io
from radiomicnet_md.engine.acceptance import Admitted, Limits, Refused, admit
from radiomicnet_md.errors import ConfigurationError, ExitCode
from radiomicnet_md.image import Image, Origin

LIMITS = Limits()
LEVELS = np.random.default_rng(0).integers(0, 200, (96, 128), dtype=np.uint8)
ORIGIN = Origin(
    format="dicom",
    file_sha256="0" * 64,
    sop_class_uid="1.2.840.10008.5.1.4.1.1.6.1",
    modality="US",
    photometric="MONOCHROME2",
    bits_allocated=8,
    bits_stored=8,
)


def image(pixels: Any = LEVELS, **origin: Any) -> Image:  # noqa: ANN401
    """An image that passes, but for what is said here; pixels (rows, columns) or all four axes."""
    return Image(pixels[None, :, :, None] if pixels.ndim == 2 else pixels, replace(ORIGIN, **origin))


def three(first: Any, second: Any, third: Any) -> Any:  # noqa: ANN401
    return np.stack([first, second, third], axis=-1)[None]


def constant(level: int, others: int = 0) -> Any:  # noqa: ANN401
    levels = np.full(100 * 100, level, dtype=np.uint8)
    levels[:others] = 7
    return levels.reshape(100, 100)


CHROMA = np.full_like(LEVELS, 128)
ONE_OFF = LEVELS.copy()
ONE_OFF[50, 60] += 1

ADMITTED = [
    image(),
    image(three(LEVELS, LEVELS, LEVELS), photometric="RGB"),
    image(three(LEVELS, LEVELS, LEVELS), photometric="YBR_RCT"),
    image(three(LEVELS, CHROMA, CHROMA), photometric="YBR_FULL_422"),
    image(sop_class_uid="1.2.840.10008.5.1.4.1.1.7"),
    image(sop_class_uid="1.2.840.10008.5.1.4.1.1.3.1"),
    image(format="png", modality=None, sop_class_uid=None),
    image(format="nifti", modality=None, sop_class_uid=None, photometric=None),
    image(LEVELS[:64, :64]),
    image(np.tile(LEVELS, (1, 32))),
    image(constant(3, 200)),
    image(np.where(np.arange(10_000).reshape(100, 100) < 2500, 255, 9).astype(np.uint8)),
]

REFUSED = [
    ("E-GATE-FORMAT", image(format="bmp")),
    ("E-GATE-MODALITY", image(modality="CT")),
    ("E-GATE-MODALITY", image(modality=None)),
    ("E-GATE-SOP-CLASS", image(sop_class_uid="1.2.840.10008.5.1.4.1.1.2")),
    ("E-GATE-SOP-CLASS", image(sop_class_uid=None)),
    ("E-GATE-FRAMES", image(np.stack([LEVELS, LEVELS])[..., None])),
    ("E-GATE-MONOCHROME1", image(photometric="MONOCHROME1")),
    ("E-GATE-PALETTE", image(photometric="PALETTE COLOR")),
    ("E-GATE-PHOTOMETRIC", image(photometric="YBR_PARTIAL_420")),
    ("E-GATE-PHOTOMETRIC", image(photometric=None)),
    ("E-GATE-NOT-FINITE", image(np.where(LEVELS[0, 0] == LEVELS, np.nan, 1.0).astype(np.float32))),
    ("E-GATE-NOT-FINITE", image(np.where(LEVELS[0, 0] == LEVELS, np.inf, 1.0))),
    ("E-GATE-BITS", image(LEVELS.astype(np.float32))),
    ("E-GATE-BITS", image(LEVELS.astype(np.uint16), bits_stored=12)),
    ("E-GATE-BITS", image(LEVELS.astype(np.int16), bits_stored=16)),
    ("E-GATE-BITS", image(LEVELS.view(np.int8))),
    ("E-GATE-BITS", image(LEVELS % 2, bits_stored=1)),
    ("E-GATE-SIZE", image(LEVELS[:63])),
    ("E-GATE-SIZE", image(LEVELS[:8, :8])),
    ("E-GATE-SIZE", image(np.tile(LEVELS, (1, 33))[:, :4097])),
    ("E-GATE-COLOUR", image(three(LEVELS, LEVELS, ONE_OFF), photometric="RGB")),
    ("E-GATE-COLOUR", image(three(LEVELS, LEVELS, LEVELS), photometric="YBR_FULL")),
    ("E-GATE-COLOUR", image(np.stack([LEVELS, LEVELS], axis=-1)[None])),
    ("E-GATE-CONSTANT", image(constant(0))),
    ("E-GATE-CONSTANT", image(constant(90))),
    ("E-GATE-BLANK", image(constant(3, 199))),
    ("E-GATE-SATURATED", image(np.where(np.arange(10_000).reshape(100, 100) < 2501, 255, 9).astype(np.uint8))),
]


@pytest.mark.verifies("SRS-INP-002", "SRS-INP-003", "SRS-INP-005")
@pytest.mark.parametrize("given_image", ADMITTED)
def test_on_the_limit_is_admitted(given_image: Image) -> None:
    answer = admit(given_image, LIMITS)
    assert isinstance(answer, Admitted), answer
    assert (answer.levels_source == given_image.pixels[0, :, :, 0]).all()
    assert answer.levels_source.dtype == np.uint8
    assert answer.levels_source.flags.c_contiguous
    assert all(check.held for check in answer.checks)
    assert len(answer.checks) == 15


@pytest.mark.verifies("SRS-INP-002", "SRS-INP-003", "SRS-INP-005")
@pytest.mark.parametrize(("code", "given_image"), REFUSED)
@pytest.mark.verifies("SRS-INP-003", rc=("RC-011",))
@pytest.mark.verifies("SRS-INP-002", rc=("RC-010",))
def test_just_outside_is_refused_by_name(code: str, given_image: Image) -> None:
    answer = admit(given_image, LIMITS)
    assert isinstance(answer, Refused)
    assert answer.code == code
    assert answer.remedy.endswith(".")
    failed = [check for check in answer.checks if not check.held]
    assert failed[0].remedy == answer.remedy
    assert failed[0].name in answer.text
    assert failed[0].value in answer.text
    assert failed[0].limit in answer.text


@pytest.mark.verifies("SRS-INP-002")
def test_every_check_that_can_be_evaluated_is_on_record() -> None:
    answer = admit(image(LEVELS[:8, :8].astype(np.int16), modality="CT", photometric="MONOCHROME1"), LIMITS)
    assert isinstance(answer, Refused)
    assert [check.name for check in answer.checks if not check.held] == [
        "modality",
        "not_inverted",
        "photometric",
        "bits",
        "size",
    ]
    assert len(answer.checks) == 12
    assert answer.code == "E-GATE-MODALITY"


@pytest.mark.verifies("SRS-INP-004")
def test_spacing_is_recorded_and_never_refuses() -> None:
    def spacing_of(given_image: Image) -> str:
        answer = admit(given_image, LIMITS)
        assert isinstance(answer, Admitted)
        return next(check.value for check in answer.checks if check.name == "spacing")

    assert spacing_of(image()) == "unknown: millimetre values withheld"
    assert spacing_of(replace(image(), spacing_mm=(0.08, 0.1))) == "0.08 x 0.1 mm"


@pytest.mark.verifies("SRS-INP-002")
@settings(max_examples=150, deadline=2000)
@given(
    pixels=hnp.arrays(
        st.sampled_from([np.uint8, np.int8, np.uint16, np.float32]),
        hnp.array_shapes(min_dims=4, max_dims=4, min_side=1, max_side=80),
        fill=st.integers(0, 100),
    ),
    photometric=st.sampled_from([None, "MONOCHROME1", "MONOCHROME2", "RGB", "YBR_FULL", "PALETTE COLOR"]),
    bits=st.sampled_from([None, 1, 8, 16]),
)
def test_law_a_refusal_is_a_value(pixels: Any, photometric: str | None, bits: int | None) -> None:  # noqa: ANN401
    answer = admit(image(pixels, photometric=photometric, bits_stored=bits), LIMITS)
    assert isinstance(answer, Admitted | Refused)
    assert isinstance(answer, Admitted) == all(check.held for check in answer.checks)


@pytest.mark.verifies("SRS-INP-002")
@pytest.mark.verifies("SRS-REL-005", rc=("RC-023",))
def test_limits_travel_as_json_and_no_field_is_optional() -> None:
    assert Limits.from_json(LIMITS.to_json()) == LIMITS
    assert Limits.from_json(replace(LIMITS, max_side=100).to_json().encode()).max_side == 100
    values = json.loads(LIMITS.to_json())
    broken = [{**values, "extra": 1}, {**values, "bits": "8"}, {**values, "bits": True}, {**values, "modalities": "US"}]
    broken += [{name: value for name, value in values.items() if name != left_out} for left_out in values]
    for text in ["", "[]", "null", *map(json.dumps, broken)]:
        with pytest.raises(ConfigurationError) as caught:
            Limits.from_json(text)
        assert caught.value.code == "E-LIMITS"
        assert caught.value.exit_code == ExitCode.CONFIGURATION


@pytest.mark.verifies("SRS-INP-002")
def test_the_limits_decide_not_the_code() -> None:
    assert isinstance(admit(image(LEVELS), replace(LIMITS, max_side=100)), Refused)
    assert isinstance(admit(image(modality="CT"), replace(LIMITS, modalities=("CT",))), Admitted)
    assert isinstance(admit(image(format="png", modality=None), replace(LIMITS, declared_formats=())), Refused)


@pytest.mark.verifies("SRS-INP-005")
def test_the_colour_file_of_the_demonstration_is_refused() -> None:
    path = get_testdata_file("examples_rgb_color.dcm")
    assert path is not None
    answer = admit(io.read(Path(path)).image, LIMITS)
    assert isinstance(answer, Refused)
    assert answer.code == "E-GATE-COLOUR"
