# SPDX-License-Identifier: Apache-2.0
"""The conformance statement (PS3.2) says what the code negotiates, for it is printed from the same tables."""

from __future__ import annotations

from collections.abc import Iterable

from pydicom.uid import UID

from radiomicnet_md import __version__
from radiomicnet_md.dicomnode import tables
from radiomicnet_md.io.identifiers import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

_VERIFICATION = UID("1.2.840.10008.1.1")


def statement() -> str:
    """The statement in Markdown."""
    return "\n".join((*_overview(), *_provider(), *_user(), *_web(), *_security()))


def _overview() -> Iterable[str]:
    yield f"# DICOM conformance statement of RadiomicNet-MD {__version__}"
    yield ""
    yield "Not a cleared device. Images come in by C-STORE, are decided, and objects go out by C-STORE or STOW-RS."
    yield ""
    yield from _table(("what", "value"), _identity())
    yield ""


def _identity() -> Iterable[tuple[str, str]]:
    yield "Implementation Class UID", IMPLEMENTATION_CLASS_UID
    yield "Implementation Version Name", IMPLEMENTATION_VERSION_NAME
    yield "Application context", "1.2.840.10008.3.1.1.1"
    yield "AE title", f"{tables.AE_TITLE}, unless another is given; called title checked, calling titles by a list"
    yield "Port", f"{tables.PORT}, unless another is given"
    yield "Associations at a time", str(tables.MOST_ASSOCIATIONS)
    yield "Maximum PDU offered", f"{tables.ADVERTISED_PDU} bytes; longer than {tables.MOST_PDU} bytes: cut off"
    yield "Largest instance", f"{tables.MOST_INSTANCE} bytes"
    yield "Asynchronous operations, extended negotiation, user identity", "none"
    yield "Time-outs", f"network {tables.NETWORK_TIMEOUT_S:g} s, ACSE and DIMSE {tables.ACSE_TIMEOUT_S:g} s"


def _provider() -> Iterable[str]:
    yield "## As provider (SCP)"
    yield ""
    decided = [(UID(one), "decided where it is inside the intended use") for one in tables.DECIDED]
    refused = [(UID(one), "outside the intended use: a recorded refusal") for one in tables.REFUSED_WITH_RECORD]
    echo = [(_VERIFICATION, "C-ECHO")]
    rows = ((f"{one.name} `{one}`", what) for one, what in (*echo, *decided, *refused))
    yield from _table(("SOP class", "what becomes of it"), rows)
    yield ""
    yield from _table(("transfer syntax (C-ECHO: the first two)", "UID"), _names(tables.SYNTAXES))
    yield ""
    yield "Storage level 2 (full): every element is kept until the instance is decided. Data elements are not coerced."
    yield ""
    yield from _table(
        ("status of C-STORE", "meaning"), ((f"0x{code:04X}", said) for code, said in tables.STATUSES.items())
    )
    yield ""


def _user() -> Iterable[str]:
    yield "## As user (SCU)"
    yield ""
    yield from _table(("SOP class of C-STORE", "UID"), _names(tables.SENT))
    yield ""
    yield "Objects go in the transfer syntax they were made in, native ones as Explicit or Implicit VR Little Endian."
    yield "`dicom send` sends instances of any other class too, as they are."
    yield "Status 0xA7xx and failing associations are tried again; other failures are set aside and reported."
    yield ""


def _web() -> Iterable[str]:
    yield "## DICOMweb (PS3.18), as user agent"
    yield ""
    yield "STOW-RS (`POST studies`), QIDO-RS (`GET studies`), WADO-RS (`GET studies/{study}`); `application/dicom`."
    yield ""


def _security() -> Iterable[str]:
    yield "## Security and character sets"
    yield ""
    yield "DIMSE is encrypted on request (TLS 1.2 or later, PS3.15 B.9), and then both sides show certificates; without"
    yield "it, listen on this machine or inside a network that is protected otherwise. DICOMweb takes TLS, except on"
    yield "this machine. Character sets are passed on as they came; none is converted."


def _names(uids: Iterable[UID]) -> Iterable[tuple[str, str]]:
    return ((UID(one).name, f"`{one}`") for one in uids)


def _table(head: tuple[str, str], rows: Iterable[tuple[str, str]]) -> Iterable[str]:
    yield f"| {head[0]} | {head[1]} |"
    yield "|---|---|"
    yield from (f"| {left} | {right} |" for left, right in rows)
