# SPDX-License-Identifier: Apache-2.0
"""What the gate writes down: each check with its value, its limit and what to do, word for word; and what screens."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from radiomicnet_md.decision import Check
from radiomicnet_md.engine import acceptance, familiar
from radiomicnet_md.engine.acceptance import Admitted, Limits, Refused, Screened, admit, screen
from radiomicnet_md.errors import ConfigurationError
from radiomicnet_md.image import Image, Origin
from radiomicnet_md.radiomics.definitions import PAPER

pytestmark = pytest.mark.verifies("SRS-INP-002")

LEVELS = (np.arange(80 * 100) % 200).astype(np.uint8).reshape(80, 100)
ORIGIN = Origin(
    "dicom", "0" * 64, sop_class_uid="1.2.840.10008.5.1.4.1.1.6.1", modality="US", photometric="MONOCHROME2"
)
LIMITS = Limits()
SOP = "1.2.840.10008.5.1.4.1.1.6.1, 1.2.840.10008.5.1.4.1.1.3.1, 1.2.840.10008.5.1.4.1.1.7"
KINDS = "MONOCHROME2, RGB, YBR_FULL, YBR_FULL_422, YBR_ICT, YBR_RCT"


def image(pixels: np.ndarray = LEVELS, **origin: Any) -> Image:  # noqa: ANN401 - the fields of an origin
    return Image(pixels[None, :, :, None] if pixels.ndim == 2 else pixels, replace(ORIGIN, **origin))


def told(given: Image) -> dict[str, tuple[str, str]]:
    """Value and limit of each check by its name."""
    return {check.name: (check.value, check.limit) for check in admit(given, LIMITS).checks}


def test_the_record_of_an_admitted_image_word_for_word() -> None:
    answer = admit(image(), LIMITS)
    assert isinstance(answer, Admitted)
    assert {(check.held, check.remedy) for check in answer.checks} == {(True, "")}
    assert told(image()) == {
        "format": ("dicom", "dicom, png, jpeg, tiff, nifti, nrrd, mha"),
        "modality": ("US", "US"),
        "sop_class": ("1.2.840.10008.5.1.4.1.1.6.1", SOP),
        "frames": ("1", "1"),
        "not_inverted": ("MONOCHROME2", "not MONOCHROME1"),
        "no_palette": ("MONOCHROME2", "not PALETTE COLOR"),
        "photometric": ("MONOCHROME2", KINDS),
        "finite": ("0 values not finite", "0"),
        "bits": ("8-bit unsigned", "8-bit unsigned"),
        "size": ("80 x 100", "64 … 4096 pixels a side"),
        "colour": ("one sample", "one sample, or three that say grey"),
        "spacing": ("unknown: millimetre values withheld", "none"),
        "not_constant": ("200 grey levels", "at least 2"),
        "not_blank": ("40 of 8000 pixels at one level", "at most 980 permille"),
        "not_saturated": ("0 of 8000 pixels at 255", "at most 250 permille"),
    }


@pytest.mark.parametrize(
    ("given", "name", "value", "limit"),
    [
        (image(format="png"), "modality", "not stated by png", "ultrasound, declared by the user"),
        (image(format="png"), "sop_class", "not stated by png", "none"),
        (image(modality=None), "modality", "missing", "US"),
        (image(modality="CT"), "modality", "CT", "US"),
        (image(sop_class_uid=None), "sop_class", "missing", SOP),
        (image(sop_class_uid="1.2"), "sop_class", "1.2", SOP),
        (image(np.zeros((3, 80, 100, 1), np.uint8)), "frames", "3", "1"),
        (image(photometric=None), "not_inverted", "not stated", "not MONOCHROME1"),
        (image(photometric=None), "no_palette", "not stated", "not PALETTE COLOR"),
        (image(photometric=None), "photometric", "missing", KINDS),
        (image(photometric="CMYK"), "photometric", "CMYK", KINDS),
        (image(photometric=None, format="png"), "photometric", "not stated", KINDS),
        (image(photometric="CMYK", format="png"), "photometric", "CMYK", KINDS),
        (image(np.where(LEVELS == 0, np.nan, 1.0)), "finite", "40 values not finite", "0"),
        (image(LEVELS.astype(np.uint16), bits_stored=12), "bits", "12-bit unsigned", "8-bit unsigned"),
        (image(LEVELS.astype(np.int16)), "bits", "16-bit signed", "8-bit unsigned"),
        (image(LEVELS.astype(np.float32)), "bits", "32-bit floating point", "8-bit unsigned"),
        (image(LEVELS.astype(np.complex64)), "bits", "64-bit <c8", "8-bit unsigned"),
        (
            image(np.stack([LEVELS] * 3, -1)[None]),
            "colour",
            "three samples, grey",
            "one sample, or three that say grey",
        ),
        (
            image(np.stack([LEVELS] * 2, -1)[None]),
            "colour",
            "2 samples, not grey alone",
            "one sample, or three that say grey",
        ),
        (replace(image(), spacing_mm=(0.1, 0.25)), "spacing", "0.1 x 0.25 mm", "none"),
        (
            replace(image(), spacing_mm=(0.1, 0.25), spacing_declared=True),
            "spacing",
            "0.1 x 0.25 mm, declared by the operator",
            "none",
        ),
    ],
)
def test_what_a_check_saw_stands_beside_what_it_accepts(given: Image, name: str, value: str, limit: str) -> None:
    assert told(given)[name] == (value, limit)


def test_a_refusal_carries_its_rules_remedy() -> None:
    answer = admit(image(modality="CT", photometric="CMYK"), LIMITS)
    assert isinstance(answer, Refused)
    by_name = {rule.name: rule.remedy for rule in acceptance._FILE_CHECKS}
    assert {check.name: check.remedy for check in answer.checks if not check.held} == {
        name: by_name[name] for name in ("modality", "photometric")
    }
    assert (answer.code, answer.remedy) == ("E-GATE-MODALITY", by_name["modality"])


# ------------------------------------------------------------------------------------------ after measuring


def decision(*regions: dict[str, int]) -> Any:  # noqa: ANN401 - what of a decision the screen looks at
    values = {name: float(number) for number, name in enumerate(PAPER)}
    chosen = [SimpleNamespace(values=one) for one in regions]
    return SimpleNamespace(levels=LEVELS, paper_values=values, chosen=chosen)


def reference(limit: int) -> familiar.Reference:
    """Every value is at its middle, and each region between one and ten thousand pixels is usual."""
    middle = tuple(familiar.values(LEVELS, [float(number) for number in range(len(PAPER))]).tolist())
    low, high = (tuple(one + way for one in middle) for way in (-1.0, 1.0))
    weights = tuple(tuple(int(i == j) for j in range(len(middle))) for i in range(len(middle)))
    return familiar.Reference(low, middle, high, weights, limit, dict.fromkeys(familiar.SHAPES, (1, 10_000)))


REGION = {"area": 50, "solidity": 9_000, "at the image border": 2}


def test_without_a_reference_nothing_is_screened_and_the_record_says_so() -> None:
    assert screen(decision(REGION), LIMITS) == Screened(
        (Check("familiar", "not judged", "not in this release", held=True),)
    )


def test_an_unlike_image_is_refused_before_its_shapes_are_asked_for() -> None:
    known = reference(limit=-1)
    answer = screen(decision(REGION), replace(LIMITS, reference=known))
    value, limit, _ = known.say(np.array(known.middle))
    text = f"The image is unlike those that the device was made from: {value}; accepted is {limit}."
    check = Check("familiar", value, limit, False, acceptance._OTHER_IMAGE)  # noqa: FBT003
    assert answer == Refused("E-GATE-UNFAMILIAR", text, acceptance._OTHER_IMAGE, (check,))


def test_shapes_are_told_and_flagged_one_by_one() -> None:
    known = reference(limit=0)
    answer = screen(decision(REGION, {**REGION, "solidity": 0}), replace(LIMITS, reference=known))
    assert isinstance(answer, Screened)
    assert [(check.name, check.held, check.remedy) for check in answer.checks] == [
        ("familiar", True, ""),
        *((name, name != "solidity", "" if name != "solidity" else acceptance._LOOK) for name in familiar.SHAPES),
    ]
    found = familiar.shapes([REGION, {**REGION, "solidity": 0}])
    for check in answer.checks[1:]:
        assert (check.value, check.limit, check.held) == known.say_shape(check.name, found[check.name])


def test_limits_are_stored_sorted_with_their_reference_and_read_again() -> None:
    limits = replace(LIMITS, reference=reference(limit=7))
    stored = limits.to_json()
    assert Limits.from_json(stored) == limits
    values = json.loads(stored)
    assert json.dumps(values, indent=1, sort_keys=True) + "\n" == stored
    assert values["reference"] == limits.reference.to_json()  # type: ignore[union-attr]
    assert "reference" not in json.loads(LIMITS.to_json())


@pytest.mark.parametrize(
    ("name", "value"),
    [("weights", [[2**70, *[0] * (len(familiar.NAMES) - 1)]]), ("low", ["-0x1p9999"]), ("limit", float("inf"))],
)
@pytest.mark.verifies("SRS-ACC-001")
def test_a_number_too_large_for_a_reference_is_no_limits(name: str, value: object) -> None:
    stored = json.loads(replace(LIMITS, reference=reference(limit=7)).to_json())
    former = stored["reference"][name]
    stored["reference"][name] = value if not isinstance(value, list) else [*value, *former[1:]]
    with pytest.raises(ConfigurationError) as caught:
        Limits.from_json(json.dumps(stored))
    assert caught.value.code == "E-LIMITS"
