# SPDX-License-Identifier: Apache-2.0
"""What this node speaks, as data: the code negotiates from these tables, and the conformance statement prints them.

Rules of this module:

- A class is in :data:`RECEIVED` when its instances end in a record, be it a refusal; others are not taken.
- A transfer syntax is in :data:`SYNTAXES` when ``io`` decodes it with the extra ``dicom``.

Names of classes and syntaxes are those of PS3.6, table A-1, as pydicom spells them.
"""

from __future__ import annotations

from pydicom import uid

PORT = 11112  # registered for DICOM (PS3.8, 9.1.1)
AE_TITLE = "RADIOMICNET"
MOST_ASSOCIATIONS = 10
MOST_PDU = 1 << 20  # bytes of one PDU; a peer that announces more is cut off before it is read
ADVERTISED_PDU = 1 << 17
MOST_INSTANCE = 1 << 29  # bytes of one instance
NETWORK_TIMEOUT_S = 60.0
ACSE_TIMEOUT_S = 15.0
STUDY_TIMEOUT_S = 10.0  # after the last instance of a study, until its instances are decided

DECIDED = (
    uid.UltrasoundImageStorage,
    uid.UltrasoundMultiFrameImageStorage,
    uid.SecondaryCaptureImageStorage,
)
REFUSED_WITH_RECORD = (
    uid.ComputedRadiographyImageStorage,
    uid.CTImageStorage,
    uid.DigitalMammographyXRayImageStorageForPresentation,
    uid.DigitalXRayImageStorageForPresentation,
    uid.EnhancedCTImageStorage,
    uid.EnhancedMRImageStorage,
    uid.EnhancedUSVolumeStorage,
    uid.MRImageStorage,
    uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
    uid.PositronEmissionTomographyImageStorage,
)
RECEIVED = DECIDED + REFUSED_WITH_RECORD

SENT = (
    uid.SegmentationStorage,
    uid.Comprehensive3DSRStorage,
    uid.ParametricMapStorage,
    uid.SecondaryCaptureImageStorage,
)

NATIVE = (uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian)
SYNTAXES = (
    *NATIVE,
    uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian,
    uid.RLELossless,
    uid.JPEGBaseline8Bit,
    uid.JPEGExtended12Bit,
    uid.JPEGLossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.JPEGLSNearLossless,
    uid.JPEG2000Lossless,
    uid.JPEG2000,
    uid.HTJ2KLossless,
    uid.HTJ2KLosslessRPCL,
    uid.HTJ2K,
)

SUCCESS = 0x0000
STATUSES = {  # of C-STORE, PS3.4, B.2.3
    SUCCESS: "the instance is on the disk of this node and will end in one record",
    0xA700: "no room: the disk, the inbox or the outbox is full; send again later",
    0xA900: "the data set is not of the class or instance that the command names",
    0xC000: "the data set cannot be read",
}
NO_ROOM, MISMATCH, UNREADABLE = 0xA700, 0xA900, 0xC000
