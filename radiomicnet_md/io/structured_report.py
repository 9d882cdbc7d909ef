# SPDX-License-Identifier: Apache-2.0
"""What was measured and what decided, as a DICOM Comprehensive 3D SR after TID 1500 (PS3.16), number by number.

Rules of this module:

- One group for the image and the record (TID 1501), one for each region (TID 1411), which refers to the region's
  segment and to the source. "No lesion found" has the first group alone, and says so in code.
- A number that is no count stands as a decimal string, and as the double it is (Floating Point Value).
- A value that is undefined is left out; a comment says which, and why.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radiomicnet_md.io.coded import Code, Finding, Findings, Quantity
from radiomicnet_md.io.derived import MANUFACTURER, Parents, coding_scheme, segment_label, write_object
from radiomicnet_md.io.identifiers import derive_uid
from radiomicnet_md.io.source import Reading

if TYPE_CHECKING:
    from radiomicnet_md_audit.appending import Receipt

PRESENCE = Code("D001", "Presence of a lesion")
_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"


def write_measurements(
    path: Path, reading: Reading, findings: Findings, receipt: Receipt, algorithm: tuple[str, str]
) -> None:
    """Write a report (PS3.3, A.35.13) on the regions of the segmentation of the same record and source.

    Raises:
        ConfigurationError: E-OUTPUT-….
        InputError: E-OUTPUT-SOURCE if the source lacks what a report must copy or refer to.
    """

    def build(hd: Any, parents: Parents) -> Any:  # noqa: ANN401 - highdicom is untyped
        root = _report(hd, parents, findings)[0]
        tree, root.ContentSequence = root.ContentSequence, []  # else it is copied and searched, which takes most time
        made = hd.sr.Comprehensive3DSR(
            evidence=[parents.source, *([_segmentation(parents)] if findings.lesions else [])],
            content=root,
            is_complete=True,
            coding_schemes=[coding_scheme(hd)],
            **parents.common("measurements"),
        )
        made.ContentSequence = tree
        made.copy_patient_and_study_information(parents.source)
        return made

    write_object(path, reading, receipt, algorithm, build)


def _segmentation(parents: Parents) -> Any:  # noqa: ANN401
    """As much of the segmentation as a reference to it needs."""
    return parents.variant(
        SOPClassUID=_SEGMENTATION,
        SOPInstanceUID=parents.uid("segmentation"),
        SeriesInstanceUID=parents.uid("segmentation series"),
    )


def _report(hd: Any, parents: Parents, findings: Findings) -> Any:  # noqa: ANN401
    from pydicom.sr.codedict import codes

    sr = hd.sr
    device = sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=derive_uid("device", parents.receipt.keyid),
            name=parents.algorithm,
            manufacturer_name=MANUFACTURER,
            model_name=parents.algorithm,
            serial_number=parents.receipt.keyid[:16],
        ),
    )
    groups = [_of_image(sr, parents, findings)]
    numbers = range(1, 2) if len(findings.lesions) == 1 else range(2, len(findings.lesions) + 2)
    for number, lesion in zip(numbers, findings.lesions, strict=True):
        groups.append(_of_region(sr, parents, number, lesion))
    report = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=device),
        procedure_reported=codes.SCT.DiagnosticUltrasonography,
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
        language_of_content_item_and_descendants=sr.LanguageOfContentItemAndDescendants(
            sr.CodedConcept("en", "RFC5646", "English")
        ),
    )
    _separate(report[0])
    return report


def _separate(container: Any) -> None:  # noqa: ANN401
    """Have each item shown on its own with its name (PS3.3, C.17.3.2.4); else viewers run the numbers together."""
    container.ContinuityOfContent = "SEPARATE"
    for item in container.get("ContentSequence", ()):
        if item.ValueType == "CONTAINER":
            _separate(item)


def _of_image(sr: Any, parents: Parents, findings: Findings) -> Any:  # noqa: ANN401
    from pydicom.sr.codedict import codes

    source = parents.source
    present = codes.SCT.Present if findings.lesions else codes.SCT.Absent
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(parents.uid("decision"), f"{parents.receipt.record_id} image"),
        finding_type=codes.SCT.Lesion,
        algorithm_id=_algorithm(sr, parents),
        finding_sites=[sr.FindingSite(codes.SCT.Breast)],
        measurements=_numbers(sr, findings.quantities),
        qualitative_evaluations=[sr.QualitativeEvaluation(_coded(sr, PRESENCE), present)],
        source_images=[sr.SourceImageForMeasurementGroup(source.SOPClassUID, source.SOPInstanceUID)],
    )
    _add(sr, group, ((_coded(sr, code), text) for code, text in findings.statements))
    return group


def _of_region(sr: Any, parents: Parents, number: int, lesion: Finding) -> Any:  # noqa: ANN401
    from pydicom.sr.codedict import codes

    source = parents.source
    label = segment_label(number)
    group = sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(parents.uid(label), f"{parents.receipt.record_id} {number}"),
        referenced_segment=sr.ReferencedSegment(
            _SEGMENTATION,
            parents.uid("segmentation"),
            number,
            source_images=[sr.SourceImageForSegmentation(source.SOPClassUID, source.SOPInstanceUID)],
        ),
        finding_type=codes.SCT.Lesion,
        algorithm_id=_algorithm(sr, parents),
        finding_sites=[sr.FindingSite(codes.SCT.Breast)],
        measurements=_numbers(sr, lesion.quantities),
    )
    _add(sr, group, ((codes.DCM.Comment, text) for text in lesion.left_out))
    return group


def _algorithm(sr: Any, parents: Parents) -> Any:  # noqa: ANN401
    return sr.AlgorithmIdentification(parents.algorithm, parents.version, [parents.record()])


def _numbers(sr: Any, quantities: Iterable[Quantity]) -> list[Any]:  # noqa: ANN401
    return [_number(sr, one) for one in quantities]


def _number(sr: Any, one: Quantity) -> Any:  # noqa: ANN401
    made = sr.Measurement(_coded(sr, one.name), one.value, sr.CodedConcept(one.unit[0], "UCUM", one.unit[1]))
    if isinstance(one.value, int):  # else 51 is shown as 51.0
        made[0].MeasuredValueSequence[0].NumericValue = str(one.value)
    return made


def _coded(sr: Any, code: Code) -> Any:  # noqa: ANN401
    return sr.CodedConcept(code.value, code.scheme, code.meaning)


def _add(sr: Any, group: Any, texts: Iterable[tuple[Any, str]]) -> None:  # noqa: ANN401
    """Texts at the end of a group."""
    contains = sr.RelationshipTypeValues.CONTAINS
    group[0].ContentSequence.extend(sr.TextContentItem(name, text, contains) for name, text in texts)
