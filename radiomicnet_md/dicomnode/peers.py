# SPDX-License-Identifier: Apache-2.0
"""An archive takes an object, refuses it for good, or is not there now: these three, and nothing in between.

Rules of this module:

- What may be right later (no connection, no room, a server that fails) is ``Later``; what the archive will always
  refuse (a class it does not know, a data set it does not accept) is ``Refused``.
- C-STORE is PS3.4, annex B; STOW-RS is PS3.18, 10.5. Warnings of either are successes: the object is stored.
- No address is taken from the environment, and no answer's text goes further than its status.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radiomicnet_md.config import Node, Settings, Web
from radiomicnet_md.dicomnode import encryption, tables
from radiomicnet_md.errors import ConfigurationError

_NO_ROOM = range(0xA700, 0xA800)
_WARNINGS = range(0xB000, 0xC000)
_RETRY_HTTP = frozenset({401, 403, 404, 407, 408, 409, 413, 425, 429})  # the site's to repair: not the object's fault


class LaterError(Exception):
    """The archive did not take it now; its words are a status or the kind of failure."""


class RefusedError(Exception):
    """The archive will not take it."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A destination of the configuration."""

    name: str
    at: Node | Web
    ae_title: str  # what we call ourselves

    @property
    def protocol(self) -> str:
        """How it is sent to."""
        return "C-STORE" if isinstance(self.at, Node) else "STOW-RS"

    def send(self, files: Iterable[Path]) -> None:
        """Give it these files; :class:`LaterError` or :class:`RefusedError` for the first it does not take."""
        from pydicom import dcmread

        datasets = [dcmread(path) for path in files]
        if isinstance(self.at, Node):
            _store(self.at, self.ae_title, datasets)
        else:
            _stow(self.at, datasets)


def named(settings: Settings, name: str, ae_title: str = tables.AE_TITLE) -> Peer:
    """The destination of this name.

    :class:`ConfigurationError` ``E-DESTINATION`` where there is none, ``E-TLS-FILE`` where its files are not right.
    """
    if name not in settings.destinations:
        known = ", ".join(sorted(settings.destinations)) or "none is"
        raise ConfigurationError(
            "E-DESTINATION",
            f"No destination {name!r} is configured; {known}.",
            remedy="Add it under 'destinations' in the configuration file (docs/reference/configuration.md).",
        )
    at = settings.destinations[name]
    if isinstance(at, Node) and at.tls is not None:
        encryption.calling(at.tls)
    return Peer(name, at, ae_title)


def web_client(at: Web) -> Any:  # noqa: ANN401 -- dicomweb_client's, untyped by its own imports
    """A client of DICOMweb; :class:`ConfigurationError` ``E-DESTINATION-FILE`` where a file it needs cannot be read."""
    from dicomweb_client.api import DICOMwebClient
    from dicomweb_client.session_utils import create_session

    session = create_session()
    session.trust_env = False
    session.verify = True if at.ca_file is None else str(at.ca_file)
    headers = {}
    if at.authorization_file is not None:
        try:
            headers["Authorization"] = at.authorization_file.read_text(encoding="utf-8").splitlines()[0].strip()
        except (OSError, UnicodeError, IndexError):
            raise ConfigurationError(
                "E-DESTINATION-FILE",
                "The file with a destination's authorization cannot be read, or is empty.",
                remedy="Check the file that 'authorization_file' of the destination names.",
            ) from None
    client = DICOMwebClient(url=at.url, session=session, headers=headers)
    client.set_http_retry_params(retry=False)  # who calls waits in its own way, and can be stopped meanwhile
    return client


@contextmanager
def web_failures() -> Iterator[None]:
    """The failures of an HTTP exchange as one of the two kinds."""
    try:
        yield
    except OSError as error:  # requests' errors are
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status is not None and status < 500 and status not in _RETRY_HTTP:  # noqa: PLR2004 -- RFC 9110, 15.6
            raise RefusedError(f"HTTP status {status}") from None
        raise LaterError(type(error).__name__ if status is None else f"HTTP status {status}") from None


def _stow(at: Web, datasets: list[Any]) -> None:
    with web_failures():
        answer = web_client(at).store_instances(datasets)
    failed = answer.get("FailedSOPSequence") or []
    if failed:
        reason = int(failed[0].get("FailureReason", 0))
        kind = LaterError if reason in _NO_ROOM else RefusedError
        raise kind(f"status 0x{reason:04X}")


def association(at: Node, ae_title: str, contexts: Iterable[tuple[str, list[str]]], **more: Any) -> Any:  # noqa: ANN401
    """An established association; :class:`LaterError` where there is none."""
    from pynetdicom import AE

    entity = AE(ae_title=ae_title)
    entity.acse_timeout = entity.dimse_timeout = entity.connection_timeout = tables.ACSE_TIMEOUT_S
    entity.network_timeout = tables.NETWORK_TIMEOUT_S
    entity.maximum_pdu_size = tables.ADVERTISED_PDU
    for sop_class, syntaxes in contexts:
        entity.add_requested_context(sop_class, syntaxes)
    encrypted = None if at.tls is None else (encryption.calling(at.tls), at.host)
    made = entity.associate(at.host, at.port, ae_title=at.ae, tls_args=encrypted, **more)
    if not made.is_established:
        if made.is_aborted and made.rejected_contexts and not made.accepted_contexts:
            raise RefusedError("no class or transfer syntax of these is accepted")
        raise LaterError("the association was rejected" if made.is_rejected else "no association")
    return made


def _store(at: Node, ae_title: str, datasets: list[Any]) -> None:
    kinds = {(str(one.SOPClassUID), str(one.file_meta.TransferSyntaxUID)) for one in datasets}
    native = [str(syntax) for syntax in tables.NATIVE]
    contexts = [(kind, native if syntax in native else [syntax]) for kind, syntax in sorted(kinds)]
    made = association(at, ae_title, contexts)
    try:
        for dataset in datasets:
            _store_one(made, dataset)
    finally:
        if made.is_established:
            made.release()


def _store_one(made: Any, dataset: Any) -> None:  # noqa: ANN401 -- an association, a pydicom data set
    try:
        answer = made.send_c_store(dataset)
    except ValueError:
        raise RefusedError("the class or its transfer syntax is not accepted") from None
    except RuntimeError:  # the association is gone
        raise LaterError("the association ended") from None
    status = answer.get("Status")
    if status is None:
        raise LaterError("no answer")
    if status == tables.SUCCESS or status in _WARNINGS:
        return
    kind = LaterError if status in _NO_ROOM else RefusedError
    raise kind(f"status 0x{status:04X}")
