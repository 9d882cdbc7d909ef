# SPDX-License-Identifier: Apache-2.0
"""The picture with outline and footer as a DICOM Secondary Capture, for archives that show nothing else.

Rules of this module:

- The samples are the picture's: nothing is scaled, compressed or drawn here.
- It says that annotation is burned in, and refers to its source.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.io.derived import Parents, write_object
from radiomicnet_md.io.source import Reading

if TYPE_CHECKING:
    from radiomicnet_md_audit.appending import Receipt

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_LOSSY = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")


def write_picture(path: Path, reading: Reading, png: bytes, receipt: Receipt, algorithm: tuple[str, str]) -> None:
    """Write a PNG picture as a Secondary Capture Image (PS3.3, A.8.1) in red, green and blue.

    Raises:
        ConfigurationError: E-OUTPUT-….
        InputError: E-OUTPUT-SOURCE if the source lacks what the object must copy or refer to.
    """

    def build(hd: Any, parents: Parents) -> Any:  # noqa: ANN401 - highdicom is untyped
        made = parents.bare(hd, "picture", _SECONDARY_CAPTURE, "OT")
        made.ConversionType = "WSD"  # workstation
        made.ImageType = ["DERIVED", "SECONDARY"]
        made.BurnedInAnnotation = "YES"
        made.DerivationDescription = "Outline of the segmented region and a footer drawn into the picture"
        made.ImageComments = parents.record()
        _refer(made, parents.source)
        _samples(made, pixels(png))
        return made

    write_object(path, reading, receipt, algorithm, build)


def pixels(png: bytes) -> NDArray[np.uint8]:
    """A PNG's samples (rows, columns, 3)."""
    from PIL import Image

    with Image.open(BytesIO(png)) as picture:
        return np.asarray(picture.convert("RGB"))


def _refer(made: Any, source: Any) -> None:  # noqa: ANN401
    """Name the source and how it was compressed, which a derived image takes on (PS3.3, C.7.6.1.1.5)."""
    from pydicom.dataset import Dataset
    from pydicom.sr.codedict import codes

    def coded(code: Any) -> Dataset:  # noqa: ANN401
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme_designator, code.meaning
        return item

    reference = Dataset()
    reference.ReferencedSOPClassUID = source.SOPClassUID
    reference.ReferencedSOPInstanceUID = source.SOPInstanceUID
    reference.PurposeOfReferenceCodeSequence = [coded(codes.DCM.SourceImageForImageProcessingOperation)]
    made.SourceImageSequence = [reference]
    for keyword in _LOSSY:
        if keyword in source:
            made[keyword] = source[keyword]


def _samples(made: Any, samples: NDArray[np.uint8]) -> None:  # noqa: ANN401
    made.SamplesPerPixel = 3
    made.PhotometricInterpretation = "RGB"
    made.PlanarConfiguration = 0
    made.Rows, made.Columns = samples.shape[:2]
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit = 7
    made.PixelRepresentation = 0
    made.PixelData = samples.tobytes() + b"\0" * (samples.size % 2)
    made["PixelData"].VR = "OB"
