# SPDX-License-Identifier: Apache-2.0
"""What the verb ``features`` refuses before it measures: a set, image, window or mask that has no answer.

Rules of this module:

- Each refusal has a code and says what would be accepted instead.
- A mask is one region: that of its only label, or of the label that was asked for. 0 is no label.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.errors import InputError, UsageError
from radiomicnet_md.radiomics import lesion_definitions

SETS = ("paper", "named", "all")
LARGEST_RADIUS = 180  # pixels; every sum of glcm.py stays below 2**63
LARGEST_RADIUS_ALL = 4  # voxels; what radiomics.dense measures
_LARGEST = 1 << 19  # |grey value|; with the smoothing of features.py every sum of surface.py and moments.py is exact
_LABELS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Region:
    """Where a label stands."""

    inside: NDArray[np.bool_]  # of the image's shape
    label: int | float  # as the mask holds it


def check_set(set_: str) -> None:
    """Refuse a set that does not exist: E-FEATURES-SET."""
    if set_ not in SETS:
        raise UsageError(
            "E-FEATURES-SET", f"There is no feature set {set_!r}.", remedy=f"Choose one of {', '.join(SETS)}."
        )


def numbers(pixels: NDArray[np.generic]) -> NDArray[np.generic]:
    """The image, if it is of finite real numbers in two or three dimensions: E-FEATURES-IMAGE, E-LEVELS-NOT-FINITE."""
    if pixels.dtype.kind not in "biuf" or pixels.ndim not in lesion_definitions.SHAPE or pixels.size == 0:
        raise InputError(
            "E-FEATURES-IMAGE",
            "Only a grey image in two or three dimensions with at least one pixel can be measured.",
            remedy="Give one frame, one sample a pixel.",
        )
    if not np.isfinite(pixels).all():
        raise InputError(
            "E-LEVELS-NOT-FINITE",
            "The image holds NaN or infinite values.",
            remedy="Replace them before measuring; a level cannot be made from them.",
        )
    return pixels


def whole_numbers(image: NDArray[np.generic]) -> NDArray[np.int64]:
    """The image as integers, if it is a plane of them: E-FEATURES-3D, E-FEATURES-WHOLE."""
    if image.ndim != len(("rows", "columns")):
        raise InputError(
            "E-FEATURES-3D",
            "The sets paper and named are defined for two-dimensional images.",
            remedy="Give one slice, or choose --set all.",
        )
    values = np.asarray(image, dtype=np.float64)
    if (values != np.rint(values)).any() or np.abs(values).max() >= _LARGEST:
        raise InputError(
            "E-FEATURES-WHOLE",
            f"The sets paper and named need whole grey values between -{_LARGEST} and {_LARGEST}.",
            remedy="Give the stored grey values before any rescaling, or choose --set all.",
        )
    return values.astype(np.int64)


def check_radius(radius: int, largest: int) -> None:
    """Refuse a radius out of range: E-FEATURES-RADIUS."""
    if not 1 <= radius <= largest:
        raise UsageError(
            "E-FEATURES-RADIUS",
            f"A window radius of this set lies between 1 and {largest} pixels, not {radius}.",
            remedy="Choose a radius in that range.",
        )


def check_window(shape: tuple[int, ...], radius: int) -> None:
    """Refuse a window larger than the image along its rows or columns: E-FEATURES-WINDOW."""
    if 2 * radius + 1 > min(shape[-2:]):
        raise UsageError(
            "E-FEATURES-WINDOW",
            f"A window of {2 * radius + 1} pixels is larger than the image ({shape[-2]} x {shape[-1]}).",
            remedy="Choose a smaller radius.",
        )


def region(mask: NDArray[np.generic], shape: tuple[int, ...], label: int | None) -> Region:
    """Where the mask holds ``label``, or its only label.

    :raises InputError: E-MASK-GEOMETRY, -VALUES, -EMPTY, -LABELS, -LABEL-ABSENT
    """
    if mask.shape != shape:
        raise InputError(
            "E-MASK-GEOMETRY",
            f"The mask has the shape {_shape(mask.shape)}, the image {_shape(shape)}.",
            remedy="Give a mask on the image's own grid.",
        )
    if mask.dtype.kind not in "biuf" or not np.isfinite(mask).all():
        raise InputError(
            "E-MASK-VALUES", "The mask holds NaN or infinite values.", remedy="Give a mask of whole numbers."
        )
    labels = [each.item() for each in np.unique(mask) if each != 0]
    if not labels:
        raise InputError("E-MASK-EMPTY", "The mask is empty.", remedy="Give a mask that marks at least one pixel.")
    shown = ", ".join(f"{each:g}" for each in labels[:_LABELS_SHOWN]) + (", …" if len(labels) > _LABELS_SHOWN else "")
    if label is None and len(labels) > 1:
        raise InputError(
            "E-MASK-LABELS",
            f"The mask holds {len(labels)} different labels.",
            remedy=f"Choose one with --label: {shown}.",
        )
    if label is not None and label not in labels:
        raise InputError(
            "E-MASK-LABEL-ABSENT",
            f"The mask has no label {label}.",
            remedy=f"Choose one that it has with --label: {shown}.",
        )
    chosen = labels[0] if label is None else label
    return Region(np.asarray(mask == chosen), int(chosen) if chosen == int(chosen) else chosen)


def _shape(extents: tuple[int, ...]) -> str:
    return " x ".join(map(str, extents))
