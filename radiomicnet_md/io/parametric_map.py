# SPDX-License-Identifier: Apache-2.0
"""What each name gave to each pixel's evidence, as a DICOM Parametric Map with one frame a name.

Rules of this module:

- The frames are the decision's integers divided by ``2**LOGIT_BITS``, exactly: in single precision, or in double
  precision where one of them needs it.
- The grid is the device's half grid, not resampled. Spacing and position of the first cell put it over the source.
- Where the source has no place in the patient, frame of reference, position and orientation are invented and named
  so. Without a known spacing none is stated.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.decision import LOGIT_BITS
from radiomicnet_md.io.coded import Code, Maps
from radiomicnet_md.io.derived import NO_PLACE, Parents, Place, coding_scheme, write_object
from radiomicnet_md.io.source import Reading

if TYPE_CHECKING:
    from radiomicnet_md_audit.appending import Receipt

_LABEL = 16  # characters of an SH (PS3.5, 6.2)


def write_contributions(path: Path, reading: Reading, maps: Maps, receipt: Receipt, algorithm: tuple[str, str]) -> None:
    """Write the maps as a Parametric Map (PS3.3, A.75), a frame each.

    Raises:
        ConfigurationError: E-OUTPUT-….
        InputError: E-OUTPUT-SOURCE if the source lacks what the map must copy or refer to.
    """

    def build(hd: Any, parents: Parents) -> Any:  # noqa: ANN401 - highdicom is untyped
        place = parents.place()
        made = _build(hd, parents, maps, _cells(place, maps.grid, reading.image.pixels.shape[1:3]))
        for (code, _), frame in zip(maps.planes, made.PerFrameFunctionalGroupsSequence, strict=True):
            frame.FrameContentSequence[0].FrameLabel = code.meaning
        if not place.stated:
            made.PositionReferenceIndicator = ""
            made.FrameOfReferenceUID = place.frame_of_reference
            made.ImageComments = NO_PLACE
        if place.spacing_mm is None:
            del made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing
        return made

    write_object(path, reading, receipt, algorithm, build)


def exact(planes: NDArray[np.int64]) -> NDArray[np.floating[Any]]:
    """The planes in logits, in the narrowest of single and double precision that holds each value whole."""
    values = planes / float(1 << LOGIT_BITS)
    narrow = values.astype(np.float32)
    return narrow if (narrow == values).all() else values


def _cells(place: Place, grid: tuple[int, int], size: tuple[int, ...]) -> Place:
    """The place of the half grid over an image (rows, columns): a cell is 2 · rows / h by 2 · columns / w pixels."""
    down, across = (2 * pixels / steps for pixels, steps in zip(size, grid, strict=True))
    spacing = place.spacing_mm and (place.spacing_mm[0] * down, place.spacing_mm[1] * across)
    x, y, z = place.at((down - 1) / 2, (across - 1) / 2)
    return Place(place.frame_of_reference, (x, y, z), place.along_row, place.along_column, spacing, place.stated)


def _build(hd: Any, parents: Parents, maps: Maps, place: Place) -> Any:  # noqa: ANN401
    values = exact(np.stack([plane for _, plane in maps.planes]))
    reach = float(np.abs(values).max(initial=0)) or 1.0
    return hd.pm.ParametricMap(
        pixel_array=np.ascontiguousarray(np.moveaxis(values, 0, -1)[None]),
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[[_mapping(hd, n, code, reach)] for n, (code, _) in enumerate(maps.planes, start=1)],
        voi_lut_transformations=[hd.VOILUTTransformation(window_center=0.0, window_width=2 * reach)],
        content_label="CONTRIBUTIONS",
        content_description=parents.record(),
        coding_schemes=[coding_scheme(hd)],
        **parents.placed(hd, place),
        **parents.common("contributions"),
    )


def _mapping(hd: Any, number: int, code: Code, reach: float) -> Any:  # noqa: ANN401
    from pydicom.sr.codedict import codes

    return hd.pm.RealWorldValueMapping(
        lut_label=f"{number:02} {code.value}"[:_LABEL],
        lut_explanation=code.meaning,
        unit=codes.UCUM.NoUnits,
        value_range=(-reach, reach),
        slope=1.0,
        intercept=0.0,
        quantity_definition=hd.sr.CodedConcept(code.value, code.scheme, code.meaning),
    )
