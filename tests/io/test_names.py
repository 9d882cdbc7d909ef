# SPDX-License-Identifier: Apache-2.0
"""Names of patients arrive in their own letters, whatever character set their file is in."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from radiomicnet_md import io
from tests.io import samples

THREE = "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"
OF_FILES = {  # file of the data folder: the name in it, as its publishers print it
    "chrArab": "قباني^لنزار",
    "chrFren": "Buc^Jérôme",
    "chrFrenMulti": "Buc^Jérôme",
    "chrGerm": "Äneas^Rüdiger",
    "chrGreek": "Διονυσιος",
    "chrH31": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "chrH32": THREE,
    "chrHbrw": "שרון^דבורה",
    "chrI2": "Hong^Gildong=洪^吉洞=홍^길동",
    "chrJapMulti": "やまだ^たろう",
    "chrJapMultiExplicitIR6": "やまだ^たろう",
    "chrKoreanMulti": "김희중",
    "chrRuss": "Люкceмбypг",  # noqa: RUF001 - with Latin letters in it, as it was written
    "chrSQEncoding": THREE,
    "chrSQEncoding1": THREE,
    "chrX1": "Wang^XiaoDong=王^小東",
    "chrX2": "Wang^XiaoDong=王^小东",
}
WRITTEN = {  # character set: a name in it, and Python's name for its encoding
    "ISO_IR 100": ("Ångström^Zoë", "latin-1"),
    "ISO_IR 101": ("Wiśniewska^Żaneta", "iso8859-2"),
    "ISO_IR 109": ("Ħal^Ġorġ", "iso8859-3"),
    "ISO_IR 110": ("Bērziņa^Ilgvars", "iso8859-4"),
    "ISO_IR 144": ("Щукин^Юрий", "iso8859-5"),
    "ISO_IR 127": ("قباني^نزار", "iso8859-6"),
    "ISO_IR 126": ("Παπαδόπουλος^Γιώργος", "iso8859-7"),
    "ISO_IR 138": ("שרון^דבורה", "iso8859-8"),
    "ISO_IR 148": ("Şimşek^İğde", "iso8859-9"),
    "ISO_IR 166": ("สมชาย^ใจดี", "iso8859-11"),
    "ISO_IR 192": ("Nguyễn^Thị=阮^氏=응우옌^티", "utf-8"),
    "GB18030": ("Wang^XiaoDong=王^小东=䶮", "gb18030"),
    "GBK": ("Wang^XiaoDong=王^小东", "gbk"),
}


def named(sets: object, raw: bytes) -> bytes:
    """An ultrasound image with these bytes as its patient's name, under these character sets."""
    data = samples.ultrasound(lambda dataset: setattr(dataset, "SpecificCharacterSet", sets))
    raw += b" " * (len(raw) % 2)
    at = data.index(b"\x10\x00\x10\x00PN")
    end = at + 8 + int.from_bytes(data[at + 6 : at + 8], "little")
    return data[: at + 6] + len(raw).to_bytes(2, "little") + raw + data[end:]


def stored(path: Path) -> tuple[object, bytes]:
    """Character sets and raw bytes of the name in a file of the data folder, be it in a sequence."""
    dataset = pydicom.dcmread(path)
    holder: Dataset = dataset if "PatientName" in dataset else dataset.RequestedProcedureCodeSequence[0]
    element = holder.get_item(Tag("PatientName"))
    assert isinstance(element, RawDataElement)
    assert element.value is not None
    return holder.get("SpecificCharacterSet", dataset.get("SpecificCharacterSet")), element.value


@pytest.mark.verifies("SRS-INP-017")
def test_the_names_of_the_data_folder(data: Path, tmp_path: Path) -> None:
    folder = data / "dicom" / "pydicom_charset_files"
    assert {path.stem for path in folder.glob("*.dcm")} == set(OF_FILES)
    for stem, name in OF_FILES.items():
        sets, raw = stored(folder / f"{stem}.dcm")
        reading = io.read(samples.put(tmp_path, named(sets, raw)))
        assert reading.identity.values["PatientName"] == name, stem


@pytest.mark.verifies("SRS-INP-017")
@pytest.mark.parametrize("sets", WRITTEN)
def test_names_written_in_a_set(sets: str, tmp_path: Path) -> None:
    name, encoding = WRITTEN[sets]
    data = named(sets, name.encode(encoding))
    assert name.encode(encoding) in data
    assert io.read(samples.put(tmp_path, data)).identity.values["PatientName"] == name
