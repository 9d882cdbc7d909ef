# SPDX-License-Identifier: Apache-2.0
"""What is not known to lie inside the intended use is refused, with every check and its value on record.

Rules of this module:

- The gate is an allow-list, and two tables: ``_FILE_CHECKS`` look at what the file says and how it is
  stored, ``_LEVEL_CHECKS`` at the grey levels. A row has a name, a code, a remedy and one function.
- Every check that can be evaluated is evaluated; grey levels exist only once the file checks held.
- The first check that does not hold gives the refusal its code. A refusal is a value, not an exception.
- Thresholds come from the release, shares in permille, so that no comparison rounds.
- ``spacing`` never refuses: without it, values in millimetres are withheld.
- :func:`screen` asks what only measured values can tell, once they are there: an image unlike those that the device was
  made from is refused; a result of an implausible shape stays as it is, *flagged* by the check that did not hold.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.decision import Check, Decision
from radiomicnet_md.engine import familiar
from radiomicnet_md.engine.familiar import Reference
from radiomicnet_md.errors import ConfigurationError
from radiomicnet_md.image import Image
from radiomicnet_md.io.levels import grey, single_channel
from radiomicnet_md.radiomics.definitions import PAPER

_REFERENCE = "reference"
_OTHER_IMAGE = (
    "Give a B-mode frame of a breast as the scanner stored it: not inverted, not filtered, not cropped to a detail, "
    "without frame or text around it. If it is one, this release was not made for such images."
)
_LOOK = "Look at the outline before you use it: no lesion that the device was made from had such a shape."
_SATURATED = 255
_PERMILLE = 1000


@dataclass(frozen=True, slots=True)
class Limits:
    """The intended use in numbers; part of the release (``acceptance.json``)."""

    modalities: tuple[str, ...] = ("US",)
    sop_classes: tuple[str, ...] = (
        "1.2.840.10008.5.1.4.1.1.6.1",  # Ultrasound Image Storage
        "1.2.840.10008.5.1.4.1.1.3.1",  # Ultrasound Multi-frame Image Storage
        "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture Image Storage
    )
    declared_formats: tuple[str, ...] = ("png", "jpeg", "tiff", "nifti", "nrrd", "mha")  # by their user, as ultrasound
    photometric: tuple[str, ...] = ("MONOCHROME2",)
    photometric_if_grey: tuple[str, ...] = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
    bits: int = 8
    frames: int = 1
    min_side: int = 64
    max_side: int = 4096
    max_blank_permille: int = 980  # share of the commonest level
    max_saturated_permille: int = 250  # share of level 255
    reference: Reference | None = None  # what is usual; releases before 0.2.0 have none

    @classmethod
    def from_json(cls, text: str | bytes) -> Limits:
        """Read limits; every field must be there, with its type, and no other. Only ``reference`` may be missing.

        Raises:
            ConfigurationError: E-LIMITS.
        """
        types = {field.name: type(field.default) for field in fields(cls) if field.name != _REFERENCE}
        reference: Reference | None = None
        try:
            stored = json.loads(text)
            if _REFERENCE in stored:
                reference = Reference.from_json(stored.pop(_REFERENCE))
            values: dict[str, Any] = {
                name: tuple(map(str, value)) if types[name] is tuple and isinstance(value, list) else value
                for name, value in stored.items()
            }
        except (ValueError, TypeError, AttributeError, KeyError, OverflowError):
            values = {}
        if {name: type(value) for name, value in values.items()} != types:
            raise ConfigurationError(
                "E-LIMITS",
                "The acceptance limits of the release are incomplete or of the wrong type.",
                remedy="Use a release whose acceptance.json was written by this version.",
            )
        return cls(**values, reference=reference)

    def to_json(self) -> str:
        """Write the limits, sorted, for a release."""
        plain = {field.name: getattr(self, field.name) for field in fields(self) if field.name != _REFERENCE}
        if self.reference is not None:
            plain[_REFERENCE] = self.reference.to_json()
        return json.dumps(plain, indent=1, sort_keys=True) + "\n"


@dataclass(frozen=True, slots=True)
class Admitted:
    """The image lies inside the intended use: its grey levels (rows, columns) and the checks that held."""

    levels_source: NDArray[np.uint8]
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """The image lies outside the intended use: the first check that failed, and all of them."""

    code: str
    text: str
    remedy: str
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Screened:
    """The image is like those the device was made from; a check that did not hold flags the result."""

    checks: tuple[Check, ...]


Seen = tuple[str, str, bool]  # value, limit, held


@dataclass(frozen=True, slots=True)
class _Rule:
    """One row of the gate."""

    name: str
    code: str
    remedy: str
    look: Callable[[Image, Limits], Seen]


def admit(image: Image, limits: Limits) -> Admitted | Refused:
    """Judge one image by the limits of the release."""
    failed, checks = _judge(_FILE_CHECKS, image, limits)
    if failed is None:
        failed, more = _judge(_LEVEL_CHECKS, image, limits)
        checks += more
    if failed is None:
        return Admitted(grey(image), checks)
    seen = next(check for check in checks if check.name == failed.name)
    text = f"The input lies outside the intended use: {seen.name} is {seen.value}; accepted is {seen.limit}."
    return Refused(failed.code, text, failed.remedy, checks)


def screen(decision: Decision, limits: Limits) -> Screened | Refused:
    """Judge what was measured of an image and found in it by the reference of the release."""
    reference = limits.reference
    if reference is None:
        return Screened((Check("familiar", "not judged", "not in this release", held=True),))
    measured = familiar.values(decision.levels, [decision.paper_values[name] for name in PAPER])
    value, limit, held = reference.say(measured)
    checks = [Check("familiar", value, limit, held, "" if held else _OTHER_IMAGE)]
    if not held:
        text = f"The image is unlike those that the device was made from: {value}; accepted is {limit}."
        return Refused("E-GATE-UNFAMILIAR", text, _OTHER_IMAGE, tuple(checks))
    for name, found in familiar.shapes([region.values for region in decision.chosen]).items():
        value, limit, plausible = reference.say_shape(name, found)
        checks.append(Check(name, value, limit, plausible, "" if plausible else _LOOK))
    return Screened(tuple(checks))


def _judge(rules: tuple[_Rule, ...], image: Image, limits: Limits) -> tuple[_Rule | None, tuple[Check, ...]]:
    """Evaluate every rule; return the first that did not hold and all checks."""
    failed: _Rule | None = None
    checks: list[Check] = []
    for rule in rules:
        value, limit, held = rule.look(image, limits)
        checks.append(Check(rule.name, value, limit, held, "" if held else rule.remedy))
        if not held and failed is None:
            failed = rule
    return failed, tuple(checks)


def _one_of(allowed: tuple[str, ...]) -> str:
    return ", ".join(allowed)


def _format(image: Image, limits: Limits) -> Seen:
    allowed = ("dicom", *limits.declared_formats)
    return image.origin.format, _one_of(allowed), image.origin.format in allowed


def _modality(image: Image, limits: Limits) -> Seen:
    origin = image.origin
    if origin.format in limits.declared_formats:
        return f"not stated by {origin.format}", "ultrasound, declared by the user", True
    return origin.modality or "missing", _one_of(limits.modalities), origin.modality in limits.modalities


def _sop_class(image: Image, limits: Limits) -> Seen:
    origin = image.origin
    if origin.format in limits.declared_formats:
        return f"not stated by {origin.format}", "none", True
    return origin.sop_class_uid or "missing", _one_of(limits.sop_classes), origin.sop_class_uid in limits.sop_classes


def _frames(image: Image, limits: Limits) -> Seen:
    return str(len(image.pixels)), str(limits.frames), len(image.pixels) == limits.frames


def _not_inverted(image: Image, limits: Limits) -> Seen:
    del limits
    photometric = image.origin.photometric or "not stated"
    return photometric, "not MONOCHROME1", photometric != "MONOCHROME1"


def _no_palette(image: Image, limits: Limits) -> Seen:
    del limits
    photometric = image.origin.photometric or "not stated"
    return photometric, "not PALETTE COLOR", photometric != "PALETTE COLOR"


def _photometric(image: Image, limits: Limits) -> Seen:
    photometric = image.origin.photometric
    allowed = (*limits.photometric, *limits.photometric_if_grey)
    if photometric is None and image.origin.format in limits.declared_formats:
        return "not stated", _one_of(allowed), True
    return photometric or "missing", _one_of(allowed), photometric in allowed


def _finite(image: Image, limits: Limits) -> Seen:
    del limits
    if image.pixels.dtype.kind != "f":
        return "0 values not finite", "0", True
    bad = int(np.count_nonzero(~np.isfinite(image.pixels)))
    return f"{bad} values not finite", "0", bad == 0


def _bits(image: Image, limits: Limits) -> Seen:
    stored, kind = image.origin.bits_stored, image.pixels.dtype
    name = {"u": "unsigned", "i": "signed", "f": "floating point"}.get(kind.kind, kind.str)
    held = kind == np.uint8 and stored in {None, limits.bits}
    return f"{stored or kind.itemsize * 8}-bit {name}", f"{limits.bits}-bit unsigned", held


def _size(image: Image, limits: Limits) -> Seen:
    rows, columns = image.pixels.shape[1:3]
    held = limits.min_side <= min(rows, columns) and max(rows, columns) <= limits.max_side
    return f"{rows} x {columns}", f"{limits.min_side} … {limits.max_side} pixels a side", held


def _colour(image: Image, limits: Limits) -> Seen:
    del limits
    samples = image.pixels.shape[-1]
    limit = "one sample, or three that say grey"
    if single_channel(image) is not None:
        return "one sample" if samples == 1 else "three samples, grey", limit, True
    return f"{samples} samples, not grey alone", limit, False


def _spacing(image: Image, limits: Limits) -> Seen:
    del limits
    if image.spacing_mm is None:
        return "unknown: millimetre values withheld", "none", True
    declared = ", declared by the operator" if image.spacing_declared else ""
    return " x ".join(f"{step:.6g}" for step in image.spacing_mm) + f" mm{declared}", "none", True


def _not_constant(image: Image, limits: Limits) -> Seen:
    del limits
    levels = int(np.count_nonzero(_histogram(image)))
    return f"{levels} grey levels", "at least 2", levels > 1


def _not_blank(image: Image, limits: Limits) -> Seen:
    counts = _histogram(image)
    return _share(int(counts.max()), int(counts.sum()), limits.max_blank_permille, "at one level")


def _not_saturated(image: Image, limits: Limits) -> Seen:
    counts = _histogram(image)
    return _share(int(counts[_SATURATED]), int(counts.sum()), limits.max_saturated_permille, f"at {_SATURATED}")


def _share(part: int, whole: int, limit: int, where: str) -> Seen:
    held = part * _PERMILLE <= limit * whole
    return f"{part} of {whole} pixels {where}", f"at most {limit} permille", held


def _histogram(image: Image) -> NDArray[np.int64]:
    return np.bincount(grey(image).ravel(), minlength=_SATURATED + 1)


_GREY_PLEASE = "Export the B-mode frame as an 8-bit grey image (MONOCHROME2)."
_LOOP_PLEASE = "Give an Ultrasound Multi-frame file of at most 600 frames, or a file of one frame."
_FILE_CHECKS = (
    _Rule("format", "E-GATE-FORMAT", "Give a DICOM file, or a picture of an ultrasound frame.", _format),
    _Rule("modality", "E-GATE-MODALITY", "Give an ultrasound image; other modalities are not intended.", _modality),
    _Rule("sop_class", "E-GATE-SOP-CLASS", "Give an Ultrasound Image or a Secondary Capture of one.", _sop_class),
    _Rule(
        "frames",
        "E-GATE-FRAMES",
        _LOOP_PLEASE,
        _frames,
    ),
    _Rule("not_inverted", "E-GATE-MONOCHROME1", _GREY_PLEASE, _not_inverted),
    _Rule("no_palette", "E-GATE-PALETTE", _GREY_PLEASE, _no_palette),
    _Rule("photometric", "E-GATE-PHOTOMETRIC", _GREY_PLEASE, _photometric),
    _Rule("finite", "E-GATE-NOT-FINITE", "Repair the file: it holds NaN or infinite values.", _finite),
    _Rule("bits", "E-GATE-BITS", _GREY_PLEASE, _bits),
    _Rule("size", "E-GATE-SIZE", "Give the frame at its own size, within the limits.", _size),
    _Rule("colour", "E-GATE-COLOUR", "Export the frame without colour overlay (Doppler, marks, tint).", _colour),
    _Rule("spacing", "E-GATE-SPACING", "", _spacing),
)
_LEVEL_CHECKS = (
    _Rule("not_constant", "E-GATE-CONSTANT", "Give a frame that shows tissue; every pixel is the same.", _not_constant),
    _Rule("not_blank", "E-GATE-BLANK", "Give a frame that shows tissue; almost all of it is empty.", _not_blank),
    _Rule("not_saturated", "E-GATE-SATURATED", "Record the frame again with less gain.", _not_saturated),
)
