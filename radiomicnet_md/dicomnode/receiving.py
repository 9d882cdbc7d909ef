# SPDX-License-Identifier: Apache-2.0
"""A storage service class provider that says "success" when the bytes are on the disk, and at no other moment.

Rules of this module (C-STORE and C-ECHO are PS3.4, annexes B and A; associations PS3.8):

- Who calls another title than ours, or is not on the list where there is one, gets no association.
- A class or transfer syntax that is not in ``tables`` gets no presentation context.
- The data set is kept byte for byte; of its content only the identifiers are read.
- Nothing is kept of an instance whose association ended before the instance did.
- With TLS, who shows no certificate that was asked for gets no further than that.
- A PDU or an instance that is larger than ``tables`` allows cuts its association off.
"""

from __future__ import annotations

import ipaddress
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from socketserver import BaseServer
from typing import Any

from pynetdicom import AE, _config, evt
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from radiomicnet_md.config import Tls
from radiomicnet_md.dicomnode import encryption, tables
from radiomicnet_md.dicomnode.inbox import Inbox, NoRoomError, request_id
from radiomicnet_md.errors import BusyError, UsageError
from radiomicnet_md.io.elements import parsed
from radiomicnet_md.io.identifiers import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

_config.LOG_HANDLER_LEVEL = "none"
_IDENTIFIERS = ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where this node listens, and to whom."""

    ae_title: str = tables.AE_TITLE
    host: str = "127.0.0.1"
    port: int = tables.PORT
    callers: tuple[str, ...] = ()  # AE titles that may call; none: all may
    tls: Tls | None = None  # None: in the clear

    def check(self) -> None:
        """Raise :class:`UsageError` ``E-LISTEN-ADDRESS`` where the host is no address of a machine."""
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            raise UsageError(
                "E-LISTEN-ADDRESS", f"{self.host!r} is no IP address.", remedy="Write an address, as 127.0.0.1."
            ) from None


class Receiver:
    """The running provider; ``port`` is the one it got."""

    def __init__(self, place: Place, inbox: Inbox, manifest_sha256: str, refuse_full: Callable[[], None]) -> None:
        """Listen from now on; ``refuse_full`` raises :class:`BusyError` while nothing new may come in.

        Raises :class:`UsageError` ``E-LISTEN-ADDRESS`` where the address cannot be used,
        :class:`ConfigurationError` ``E-TLS-FILE``.
        """
        place.check()
        encrypted = None if place.tls is None else encryption.answering(place.tls)
        self._inbox, self._manifest, self._refuse_full = inbox, manifest_sha256, refuse_full
        self._sizes: dict[Any, int] = {}
        try:
            self._server = _entity(place).make_server(
                (place.host, place.port),
                evt_handlers=[
                    (evt.EVT_C_STORE, self._store),
                    (evt.EVT_PDU_RECV, self._weigh),
                    (evt.EVT_CONN_CLOSE, self._forget),
                ],
                server_class=ThreadedAssociationServer,
                request_handler=partial(_Handler, encrypted=encrypted),
            )
        except OSError as error:
            raise UsageError(
                "E-LISTEN-ADDRESS",
                f"The address {place.host} port {place.port} cannot be used: {error.strerror}.",
                remedy="Name another port; 0 takes a free one.",
            ) from error
        self._server.daemon_threads = True  # a caller that never says anything does not hold up the end
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="receiver", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take no new association, and end those that are open: what is not acknowledged will be sent again."""
        entity = self._server.ae
        BaseServer.shutdown(self._server)  # pynetdicom's own also looks for it where only start_server puts it
        self._server.server_close()
        for association in entity.active_associations:
            association.abort()
        self._thread.join()

    def _store(self, event: Any) -> int:  # noqa: ANN401 -- pynetdicom's event
        body = event.request.DataSet.getvalue()
        self._sizes[event.assoc] = 0
        data = event.encoded_dataset()
        try:
            header = parsed(BytesIO(data), stop_before_pixels=True, specific_tags=_IDENTIFIERS)
            sop_class, instance, study = (str(header[keyword].value) for keyword in _IDENTIFIERS)
        except Exception:  # noqa: BLE001 -- pydicom answers broken bytes with almost any exception
            return tables.UNREADABLE
        if (sop_class, instance) != (event.request.AffectedSOPClassUID, event.request.AffectedSOPInstanceUID):
            return tables.MISMATCH
        try:
            self._refuse_full()
            self._inbox.take(request_id(self._manifest, body), study, data)
        except (NoRoomError, BusyError):
            return tables.NO_ROOM
        return tables.SUCCESS

    def _weigh(self, event: Any) -> None:  # noqa: ANN401 -- the same
        size = self._sizes.get(event.assoc, 0) + len(event.pdu)
        self._sizes[event.assoc] = size
        if size > tables.MOST_INSTANCE:
            event.assoc.abort()

    def _forget(self, event: Any) -> None:  # noqa: ANN401 -- the same
        self._sizes.pop(event.assoc, None)


class _Handler(RequestHandler):
    """Connections whose PDUs are no longer than :data:`tables.MOST_PDU`; pynetdicom would read any length.

    TLS begins here, in the connection's own thread: pynetdicom would let one silent caller keep out all others.
    """

    def __init__(self, *connection: Any, encrypted: ssl.SSLContext | None) -> None:  # noqa: ANN401 -- socketserver's
        self._encrypted = encrypted
        super().__init__(*connection)

    def handle(self) -> None:
        if self._encrypted is not None:
            plain: Any = self.request
            plain.settimeout(tables.ACSE_TIMEOUT_S)
            try:
                self.request = self._encrypted.wrap_socket(plain, server_side=True)
            except OSError:
                plain.close()
                return
            self.request.settimeout(None)
        super().handle()

    def _create_association(self) -> Any:  # noqa: ANN401 -- pynetdicom's association
        made = super()._create_association()
        connection: Any = made.dul.socket
        read = connection.recv

        def bounded(count: int) -> bytearray:
            if count > tables.MOST_PDU:
                raise ConnectionError
            return bytearray(read(count))

        connection.recv = bounded
        return made


def _entity(place: Place) -> AE:
    entity = AE(ae_title=place.ae_title)
    entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    entity.maximum_associations = tables.MOST_ASSOCIATIONS
    entity.maximum_pdu_size = tables.ADVERTISED_PDU
    entity.network_timeout = tables.NETWORK_TIMEOUT_S
    entity.acse_timeout = entity.dimse_timeout = tables.ACSE_TIMEOUT_S
    entity.require_called_aet = True
    entity.require_calling_aet = list(place.callers)
    entity.add_supported_context(Verification, list(tables.NATIVE))
    for sop_class in tables.RECEIVED:
        entity.add_supported_context(sop_class, list(tables.SYNTAXES))
    return entity
