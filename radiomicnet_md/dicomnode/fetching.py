# SPDX-License-Identifier: Apache-2.0
"""Studies come from an archive into a folder, whole files under the names of their instances; nothing is decided.

Rules of this module:

- QIDO-RS and WADO-RS (PS3.18, 10.6 and 10.4) where the destination has a ``url``, else C-FIND and C-GET (PS3.4,
  annex C): both bring the instances over the connection that asked, so that no archive has to know an address of ours.
- A name is made of a UID that is one; a file that is there already is replaced by the same instance.
- An instance that cannot be brought is a failure of the call, never a gap that nobody hears of.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom import dcmwrite
from pydicom.dataset import Dataset

from radiomicnet_md.config import Node, Settings, Web
from radiomicnet_md.dicomnode import tables
from radiomicnet_md.dicomnode.peers import LaterError, Peer, RefusedError, association, named, web_client, web_failures
from radiomicnet_md.errors import BusyError, InputError
from radiomicnet_md.io.files import place
from radiomicnet_md.io.silence import quiet

_UID = re.compile(r"[0-9]+(?:\.[0-9]+)+")
_PENDING = (0xFF00, 0xFF01)
_STUDY_UID = "0020000D"


def fetch(settings: Settings, name: str, query: Mapping[str, str], out: Path, tell: Callable[[Path], None]) -> int:
    """Bring the studies whose attributes are these, by keyword of DICOM; returns how many instances came.

    Raises :class:`BusyError` ``E-FETCH-LATER`` where the archive does not answer, :class:`InputError`
    ``E-FETCH-NOTHING`` and ``E-FETCH-REFUSED``, :class:`ConfigurationError` ``E-DESTINATION`` and ``E-OUTPUT-…``.
    """
    peer, count = named(settings, name), 0
    try:
        for study in _studies(peer, query):
            for dataset in _instances(peer, study):
                tell(_kept(dataset, out / study))
                count += 1
    except LaterError as error:
        raise BusyError(
            "E-FETCH-LATER", f"{name} did not answer: {error}.", remedy="Check that it runs and knows us; try again."
        ) from error
    except RefusedError as error:
        raise InputError(
            "E-FETCH-REFUSED", f"{name} did not give all of it: {error}.", remedy="Look at the archive's own log."
        ) from error
    if not count:
        raise InputError("E-FETCH-NOTHING", f"{name} has nothing of that.", remedy="Check what you asked for.")
    return count


def _studies(peer: Peer, query: Mapping[str, str]) -> list[str]:
    found = _find_on_web(peer.at, query) if isinstance(peer.at, Web) else _find(peer.at, peer.ae_title, query)
    return [uid for uid in found if _UID.fullmatch(uid)]


def _instances(peer: Peer, study: str) -> Iterator[Any]:
    if isinstance(peer.at, Web):
        with web_failures(), quiet():
            yield from web_client(peer.at).iter_study(study)
    else:
        yield from _get(peer.at, peer.ae_title, study)


def _find_on_web(at: Web, query: Mapping[str, str]) -> list[str]:
    with web_failures():
        found = web_client(at).search_for_studies(search_filters=dict(query), fields=["StudyInstanceUID"])
    return [str(one[_STUDY_UID]["Value"][0]) for one in found]


def _find(at: Node, ae_title: str, query: Mapping[str, str]) -> list[str]:
    from pynetdicom.sop_class import (  # type: ignore[attr-defined]
        StudyRootQueryRetrieveInformationModelFind as Model,
    )

    asked = Dataset()
    asked.QueryRetrieveLevel, asked.StudyInstanceUID = "STUDY", ""
    for keyword, value in query.items():
        setattr(asked, keyword, value)
    made = association(at, ae_title, [(Model, [str(one) for one in tables.NATIVE])])
    try:
        found = []
        for status, answer in made.send_c_find(asked, Model):
            code = _code(status)
            if code in _PENDING and answer is not None:
                found.append(str(answer.get("StudyInstanceUID", "")))
            elif code != tables.SUCCESS:
                raise RefusedError(f"status 0x{code:04X}")
        return found
    finally:
        made.release()


def _get(at: Node, ae_title: str, study: str) -> Iterator[Any]:
    from pynetdicom import build_role, evt
    from pynetdicom.sop_class import (  # type: ignore[attr-defined]
        StudyRootQueryRetrieveInformationModelGet as Model,
    )

    came: list[Any] = []

    def store(event: Any) -> int:  # noqa: ANN401 -- pynetdicom's event
        dataset = event.dataset
        dataset.file_meta = event.file_meta
        came.append(dataset)
        return tables.SUCCESS

    kinds = sorted({str(one) for one in (*tables.RECEIVED, *tables.SENT)})
    contexts = [
        (Model, [str(one) for one in tables.NATIVE]),
        *((kind, list(map(str, tables.SYNTAXES))) for kind in kinds),
    ]
    made = association(
        at,
        ae_title,
        contexts,
        ext_neg=[build_role(kind, scp_role=True) for kind in kinds],
        evt_handlers=[(evt.EVT_C_STORE, store)],
    )
    asked = Dataset()
    asked.QueryRetrieveLevel, asked.StudyInstanceUID = "STUDY", study
    try:
        for status, _ in made.send_c_get(asked, Model):
            code = _code(status)
            while came:
                yield came.pop(0)
            if code not in _PENDING and code != tables.SUCCESS:
                raise RefusedError(f"status 0x{code:04X}")
    finally:
        if made.is_established:
            made.release()


def _code(status: Any) -> int:  # noqa: ANN401 -- pydicom's data set
    code = status.get("Status")
    if code is None:
        raise LaterError("no answer")
    return int(code)


def _kept(dataset: Any, folder: Path) -> Path:  # noqa: ANN401 -- pydicom's data set
    name = str(dataset.SOPInstanceUID)
    if not _UID.fullmatch(name):
        raise RefusedError("an instance without a UID of the right form")
    stream = BytesIO()
    with quiet():
        dcmwrite(stream, dataset, enforce_file_format=True)
    path = folder / f"{name}.dcm"
    place(path, stream.getvalue())
    return path
