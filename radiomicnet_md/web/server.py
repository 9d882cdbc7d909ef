# SPDX-License-Identifier: Apache-2.0
"""The server is started by us, on this machine alone unless TLS is configured, and says nothing of itself.

Rules of this module:

- Without a certificate and its key, only an address of this machine is served: what is typed would else be read on
  the way.
- A connection that has not sent a whole request head within :data:`HEAD_S` seconds is closed.
- No access log: paths hold record ids, and who looked at which record is not for a log file that anybody rotates.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from radiomicnet_md import compiling
from radiomicnet_md.config import Settings
from radiomicnet_md.errors import UsageError
from radiomicnet_md.opening import open_keeper
from radiomicnet_md.web.app import application
from radiomicnet_md.web.house import House, ranges

HEAD_S = 10.0
MOST_CONNECTIONS = 200


@dataclass(frozen=True, slots=True)
class Address:
    """Where it listens, and by which names it is called."""

    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None
    names: tuple[str, ...] = ()

    @property
    def tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.certificate is not None

    def check(self) -> None:
        """Raise :class:`UsageError` ``E-SERVE-ADDRESS`` where this address may not be served so."""
        if (self.certificate is None) is not (self.key is None):
            raise UsageError("E-SERVE-ADDRESS", "TLS takes a certificate and its key.", remedy="Name both, or neither.")
        try:
            loopback = ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            raise UsageError(
                "E-SERVE-ADDRESS", f"{self.host!r} is no IP address.", remedy="Write an address, as 127.0.0.1."
            ) from None
        if not loopback and not self.tls:
            raise UsageError(
                "E-SERVE-ADDRESS",
                "Other machines are served over TLS alone.",
                remedy="Give --tls-certificate and --tls-key, or leave --host at 127.0.0.1 and use an ssh tunnel.",
            )

    def url(self, port: int) -> str:
        """The address of the page."""
        host = self.names[0] if self.names else f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{port}/"

    def hosts(self, port: int) -> list[str]:
        """What a browser may call this server, with its port."""
        usual = [f"[{self.host}]" if ":" in self.host else self.host]
        if ipaddress.ip_address(self.host).is_loopback:
            usual.append("localhost")
        names = [name.lower() for name in (*usual, *self.names)]
        return [f"{name}:{port}" for name in names] + (names if port == (443 if self.tls else 80) else [])


class _Protocol(H11Protocol):
    """HTTP/1.1 that waits for a request's head for a limited time."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._late = self.loop.call_later(HEAD_S, self._close_late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._late.cancel()
        super().connection_lost(exc)

    def _close_late(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()


def serve(settings: Settings, address: Address, note: Callable[[str], None], ready: Callable[[str], None]) -> None:
    """Serve a home until interrupted; ``ready`` is told the page's address.

    Raises :class:`UsageError` ``E-SERVE-ADDRESS``, :class:`ConfigurationError` where home or log cannot be used.
    """
    address.check()
    compiling.announce(note)
    with open_keeper(settings) as keeper:
        socket = _bound(address)
        port: int = socket.getsockname()[1]
        house = House(keeper, settings, ranges(settings))
        config = uvicorn.Config(
            application(house, address.hosts(port), tls=address.tls),
            http=_Protocol,
            ws="none",
            loop="asyncio",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=5,
            **_tls(address),
        )
        ready(address.url(port))
        uvicorn.Server(config).run(sockets=[socket])


def _tls(address: Address) -> dict[str, Any]:
    return {"ssl_certfile": address.certificate, "ssl_keyfile": address.key} if address.tls else {}


def _bound(address: Address) -> Any:  # noqa: ANN401 -- a socket
    import socket

    try:
        return socket.create_server(
            (address.host, address.port), family=socket.AF_INET6 if ":" in address.host else socket.AF_INET
        )
    except OSError as error:
        raise UsageError(
            "E-SERVE-ADDRESS",
            f"The address {address.host} port {address.port} cannot be used: {error.strerror}.",
            remedy="Name another port; 0 takes a free one.",
        ) from error
