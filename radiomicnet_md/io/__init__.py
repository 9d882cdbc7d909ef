# SPDX-License-Identifier: Apache-2.0
"""A file becomes an image or a typed refusal; a mask becomes a file only with the receipt of its record.

Rules of this room:

- :func:`read` looks at bytes, never at a file's name, and ends in a :class:`Reading` or an
  :class:`~radiomicnet_md.errors.InputError`; no other exception, no warning, no output.
- The bytes that are hashed are the bytes that are decoded, and every size is bounded before anything
  is allocated for it.
- Identities leave apart from the image. Messages of errors carry none.
- Every writer takes the receipt of the record that allows it, and leaves a whole file or none.
"""

from __future__ import annotations

from radiomicnet_md.io.capture import write_picture
from radiomicnet_md.io.coded import Code, Finding, Findings, Maps, Quantity
from radiomicnet_md.io.contours import write_contours
from radiomicnet_md.io.files import write_bytes
from radiomicnet_md.io.header import of_picture
from radiomicnet_md.io.inputs import SUFFIXES, Input
from radiomicnet_md.io.levels import grey
from radiomicnet_md.io.masks import write_mask_nifti, write_mask_nrrd, write_mask_png
from radiomicnet_md.io.opening import Reader, read
from radiomicnet_md.io.parametric_map import write_contributions
from radiomicnet_md.io.segmentation import write_probability, write_secondary_capture, write_segmentation
from radiomicnet_md.io.source import Reading, UnreadableError
from radiomicnet_md.io.structured_report import write_measurements
from radiomicnet_md.io.studies import expand, find_inputs, stands_for_several

__all__ = [
    "SUFFIXES",
    "Code",
    "Finding",
    "Findings",
    "Input",
    "Maps",
    "Quantity",
    "Reader",
    "Reading",
    "UnreadableError",
    "expand",
    "find_inputs",
    "grey",
    "of_picture",
    "read",
    "stands_for_several",
    "write_bytes",
    "write_contours",
    "write_contributions",
    "write_mask_nifti",
    "write_mask_nrrd",
    "write_mask_png",
    "write_measurements",
    "write_picture",
    "write_probability",
    "write_secondary_capture",
    "write_segmentation",
]
