# SPDX-License-Identifier: Apache-2.0
"""A mask as closed contours in millimetres, in a DICOM RT Structure Set that planning systems read.

Rules of this module:

- A contour runs along the edges of pixels: filling it gives the mask again, pixel by pixel.
- A hole is joined to the contour around it by a channel without width (the keyhole of PS3.3, C.8.8.6.3), which every
  reader understands.
- Millimetres are never assumed: without a known size of a pixel there is no structure set.
- "No lesion found" is a structure without a contour.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.errors import InputError
from radiomicnet_md.io.derived import NO_PLACE, Parents, Place, write_object
from radiomicnet_md.io.source import Reading

if TYPE_CHECKING:
    from radiomicnet_md_audit.appending import Receipt

_STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"
_STUDY = "1.2.840.10008.3.1.2.3.1"  # the class that RT objects name for a study
_NUMBER = 1
_AMBER = (240, 168, 24)  # the outline's colour in the pictures

Vertex = tuple[int, int]


def write_contours(
    path: Path, reading: Reading, mask: NDArray[np.uint8], receipt: Receipt, algorithm: tuple[str, str]
) -> None:
    """Write a mask (rows, columns; 0 or 1) as an RT Structure Set (PS3.3, A.19).

    Raises:
        ConfigurationError: E-OUTPUT-….
        InputError: E-OUTPUT-SPACING without a size of a pixel; E-OUTPUT-SOURCE if the source lacks what the object
            must copy or refer to.
    """
    if reading.image.spacing_mm is None:
        raise InputError(
            "E-OUTPUT-SPACING",
            "Contours are in millimetres, and the input does not state the size of its pixels.",
            remedy="Declare it with --spacing, or ask for --format dicom or nrrd; the record and its mask stay valid.",
        )

    def build(hd: Any, parents: Parents) -> Any:  # noqa: ANN401 - highdicom is untyped
        place = parents.place()
        made = parents.bare(hd, "contours", _STRUCTURE_SET, "RTSTRUCT")
        made.OperatorsName = ""
        made.StructureSetLabel = "LESION"
        made.StructureSetName = parents.record()
        made.StructureSetDate = made.StructureSetTime = ""  # the record's, see derived
        if not place.stated:
            made.StructureSetDescription = NO_PLACE
        made.ApprovalStatus = "UNAPPROVED"
        made.FrameOfReferenceUID = place.frame_of_reference
        made.PositionReferenceIndicator = ""
        _describe(made, parents, place)
        _draw(made, parents, place, mask)
        return made

    write_object(path, reading, receipt, algorithm, build)


def outlines(mask: NDArray[np.uint8]) -> list[list[Vertex]]:
    """A closed polygon around each region of a mask, by its corners (row, column), the mask on their right.

    Corner (r, c) is the upper left one of pixel (r, c). Law: the pixels whose centres lie within an odd number of
    the polygons are those of the mask. Pixels that touch at a corner alone are apart.
    """
    ahead: dict[Vertex, list[Vertex]] = {}  # corner to the steps that lead on from it
    for corner, step in _edges(mask):
        ahead.setdefault(corner, []).append(step)
    polygons: list[list[Vertex]] = []
    owner: dict[Vertex, int] = {}
    for start in sorted(ahead):
        if start not in ahead:
            continue
        walk = list(_walk(ahead, start))
        if _area(walk) > 0:
            polygons.append(walk)
            place = len(polygons) - 1
        else:
            place = _join(polygons, owner, walk)
        owner.update(dict.fromkeys(walk, place))
    return [_turns(polygon) for polygon in polygons]


def _join(polygons: list[list[Vertex]], owner: dict[Vertex, int], hole: list[Vertex]) -> int:
    """Put a hole into the polygon straight above its upper left corner, and say which that is."""
    row, column = top = hole[0]
    while top not in owner:
        top = (top[0] - 1, column)
    place = owner[top]
    down = [(between, column) for between in range(top[0] + 1, row + 1)]
    back = [(between, column) for between in range(row - 1, top[0] - 1, -1)]
    at = polygons[place].index(top) + 1
    polygons[place][at:at] = [*down, *hole[1:], hole[0], *back]
    return place


def _turns(walk: list[Vertex]) -> list[Vertex]:
    """The corners at which a walk of single steps does not go straight on."""
    ahead = [*walk[1:], walk[0]]
    steps = [(row_ - row, column_ - column) for (row, column), (row_, column_) in zip(walk, ahead, strict=True)]
    return [corner for n, corner in enumerate(walk) if steps[n] != steps[n - 1]]


def _edges(mask: NDArray[np.uint8]) -> Iterator[tuple[Vertex, Vertex]]:
    """Where each edge between mask and outside begins, and the step along it that keeps the mask on the right."""
    padded = np.pad(mask != 0, 1)
    inside = padded[1:-1, 1:-1]
    sides = (
        (padded[:-2, 1:-1], (0, 0), (0, 1)),  # above: along the pixel's upper edge
        (padded[1:-1, 2:], (0, 1), (1, 0)),
        (padded[2:, 1:-1], (1, 1), (0, -1)),
        (padded[1:-1, :-2], (1, 0), (-1, 0)),
    )
    for beside, (down, across), step in sides:
        for row, column in np.argwhere(inside & ~beside).tolist():
            yield (row + down, column + across), step


def _walk(ahead: dict[Vertex, list[Vertex]], start: Vertex) -> Iterator[Vertex]:
    """Once around, taking the edges away; where two lead on, to the right: around the same pixel."""
    corner, step = start, (0, 0)
    while True:
        steps = ahead[corner]
        right = (step[1], -step[0])
        step = right if right in steps else steps[0]
        steps.remove(step)
        if not steps:
            del ahead[corner]
        yield corner
        corner = (corner[0] + step[0], corner[1] + step[1])
        if corner == start:
            return


def _describe(made: Any, parents: Parents, place: Place) -> None:  # noqa: ANN401
    """One structure in one frame of reference, on the source's series."""
    source = parents.source
    series = _item(SeriesInstanceUID=source.SeriesInstanceUID, ContourImageSequence=[_image(source)])
    study = _item(
        ReferencedSOPClassUID=_STUDY,
        ReferencedSOPInstanceUID=source.StudyInstanceUID,
        RTReferencedSeriesSequence=[series],
    )
    made.ReferencedFrameOfReferenceSequence = [
        _item(FrameOfReferenceUID=place.frame_of_reference, RTReferencedStudySequence=[study])
    ]
    made.StructureSetROISequence = [
        _item(
            ROINumber=_NUMBER,
            ReferencedFrameOfReferenceUID=place.frame_of_reference,
            ROIName="Breast lesion",
            ROIGenerationAlgorithm="AUTOMATIC",
            ROIGenerationDescription=f"{parents.algorithm} {parents.version}"[:64],
        )
    ]
    made.RTROIObservationsSequence = [
        _item(ObservationNumber=1, ReferencedROINumber=_NUMBER, RTROIInterpretedType="", ROIInterpreter="")
    ]


def _draw(made: Any, parents: Parents, place: Place, mask: NDArray[np.uint8]) -> None:  # noqa: ANN401
    contours = [
        _item(
            ContourImageSequence=[_image(parents.source)],
            ContourGeometricType="CLOSED_PLANAR",
            NumberOfContourPoints=len(polygon),
            ContourData=[f"{part:.10g}" for row, column in polygon for part in place.at(row - 0.5, column - 0.5)],
        )
        for polygon in outlines(mask)
    ]
    roi = _item(ReferencedROINumber=_NUMBER, ROIDisplayColor=list(_AMBER))
    if contours:
        roi.ContourSequence = contours
    made.ROIContourSequence = [roi]


def _area(polygon: list[Vertex]) -> int:
    """Twice the area with its sign; negative around a hole."""
    ends = zip(polygon, [*polygon[1:], polygon[0]], strict=True)
    return sum(column * row_ - column_ * row for (row, column), (row_, column_) in ends)


def _image(source: Any) -> Any:  # noqa: ANN401
    return _item(ReferencedSOPClassUID=source.SOPClassUID, ReferencedSOPInstanceUID=source.SOPInstanceUID)


def _item(**values: Any) -> Any:  # noqa: ANN401
    from pydicom.dataset import Dataset

    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item
