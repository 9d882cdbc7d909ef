# SPDX-License-Identifier: Apache-2.0
"""Mask and evidence as DICOM Segmentations that refer to their source and name the record that allows them.

Rules of this module:

- "No lesion found" is a segmentation too: one frame without a pixel set, kept on purpose.
- Segment 1 is the recorded mask, whole. Of several regions, each is a further segment, as it was measured.
- The evidence is no calibrated probability, and its segment says so.
- The object says which record it belongs to: content label, description and contributing equipment.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.decision import LOGIT_BITS, Decision
from radiomicnet_md.image import Identity
from radiomicnet_md.io.derived import Parents, segment_label, write_object
from radiomicnet_md.io.files import write_bytes
from radiomicnet_md.io.levels import grey
from radiomicnet_md.io.source import Reading

if TYPE_CHECKING:
    from radiomicnet_md_audit.appending import Receipt

LEVELS = 255  # stored values of the evidence: 0 is 0, 255 is 1 (PS3.3, C.8.20.2)


def write_secondary_capture(path: Path, reading: Reading, receipt: Receipt) -> Reading:
    """Write the picture as a DICOM Secondary Capture and return the reading that a segmentation can refer to.

    Raises:
        ConfigurationError: E-OUTPUT-….
        InputError: E-INPUT-NOT-GREY.
    """
    from radiomicnet_md.io import new_images

    image = reading.image
    digest = hashlib.sha256(f"capture {image.origin.file_sha256} {image.pixels_sha256}".encode()).hexdigest()
    dataset = new_images.secondary_capture(grey(image), image.spacing_mm, digest)
    write_bytes(path, new_images.encode(dataset), receipt)
    return Reading(image, Identity(), dataset)


def write_segmentation(
    path: Path, reading: Reading, mask: NDArray[np.uint8], receipt: Receipt, algorithm: tuple[str, str]
) -> None:
    """Write a mask (rows, columns; 0 or 1) as a binary DICOM Segmentation (PS3.3, A.51).

    With three axes, the first mask is the recorded one, and its regions follow. ``algorithm`` is name and version.

    Raises:
        ConfigurationError: E-OUTPUT-….
        InputError: E-OUTPUT-SOURCE if the source lacks what a segmentation must copy or refer to.
    """

    def build(hd: Any, parents: Parents) -> Any:  # noqa: ANN401 - highdicom is untyped
        masks = mask.reshape(-1, *mask.shape[-2:])
        numbers = range(1, len(masks) + 1)
        return hd.seg.Segmentation(
            pixel_array=np.ascontiguousarray(np.moveaxis(masks, 0, -1)[None], dtype=np.uint8),
            segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
            segment_descriptions=[_segment(hd, parents, n, segment_label(n)) for n in numbers],
            content_label="LESION",
            content_description=parents.record(),
            omit_empty_frames=False,
            **_source(hd, parents),
            **parents.common("segmentation"),
        )

    write_object(path, reading, receipt, algorithm, build)


def write_probability(
    path: Path, reading: Reading, decision: Decision, receipt: Receipt, algorithm: tuple[str, str]
) -> None:
    """Write the logistic function of the logit as a fractional Segmentation (PS3.3, A.51).

    It is quantised to ``LEVELS`` steps and laid on the image's own grid: each pixel has its cell's value.

    Raises:
        ConfigurationError: E-OUTPUT-….
        InputError: E-OUTPUT-SOURCE if the source lacks what a segmentation must copy or refer to.
    """

    def build(hd: Any, parents: Parents) -> Any:  # noqa: ANN401
        levels = spread(fractions(decision.logit), decision.levels.shape, reading.image.pixels.shape[1:3])
        return hd.seg.Segmentation(
            pixel_array=levels[None].astype(np.float64) / LEVELS,
            segmentation_type=hd.seg.SegmentationTypeValues.FRACTIONAL,
            fractional_type=hd.seg.SegmentationFractionalTypeValues.PROBABILITY,
            max_fractional_value=LEVELS,
            segment_descriptions=[_segment(hd, parents, 1, "Evidence for a lesion, not calibrated")],
            content_label="EVIDENCE",
            content_description=parents.record(),
            omit_empty_frames=False,
            **_source(hd, parents),
            **parents.common("probability"),
        )

    write_object(path, reading, receipt, algorithm, build)


def fractions(logit: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The logistic function of integer logits in units of ``2**-LOGIT_BITS``, as a level 0 … LEVELS, to the nearest.

    Level n begins where the logistic reaches (n - ½) / LEVELS. These places are found once, in decimal arithmetic,
    whose logarithm is correctly rounded: every machine gets the same levels.
    """
    return np.searchsorted(_STARTS, logit, side="right").astype(np.uint8)


def _start(level: int) -> int:
    part = Decimal(2 * level - 1) / Decimal(2 * LEVELS)
    return int(((part / (1 - part)).ln() * 2**LOGIT_BITS).to_integral_value(rounding="ROUND_CEILING"))


_STARTS = np.array([_start(level) for level in range(1, LEVELS + 1)], dtype=np.int64)


def spread(cells: NDArray[Any], grid: tuple[int, ...], size: tuple[int, ...]) -> NDArray[Any]:
    """For each pixel of an image (rows, columns) the cell of the half grid (h2, w2) that its centre lies in.

    ``grid`` is the working grid (h, w): the image resampled; a cell covers two by two of its pixels.
    """
    down, across = (
        (2 * np.arange(pixels) + 1) * steps // (2 * pixels) // 2 for pixels, steps in zip(size, grid, strict=True)
    )
    return np.ascontiguousarray(cells[np.ix_(down, across)])


def _source(hd: Any, parents: Parents) -> dict[str, Any]:  # noqa: ANN401
    """The source, and its place where it states one."""
    place = parents.place()
    return parents.placed(hd, place) if place.stated else {"source_images": [parents.source]}


def _segment(hd: Any, parents: Parents, number: int, label: str) -> Any:  # noqa: ANN401
    from pydicom.sr.codedict import codes

    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=label,
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Lesion,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=parents.identification(hd),
        tracking_uid=parents.uid(label),
        tracking_id=f"{parents.receipt.record_id} {number}",
        anatomic_regions=[codes.SCT.Breast],
    )
