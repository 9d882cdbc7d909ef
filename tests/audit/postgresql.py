# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL server of the tests' own, prepared as the how-to says, and what may happen to one.

The cluster lies in a temporary folder, listens on a loopback port and lets everybody in: it holds nothing but tests.
The roles and the database are made by the SQL that ``docs/how-to/log-on-postgresql.md`` tells an administrator to type.
"""

from __future__ import annotations

import os
import pwd
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from radiomicnet_md_audit import postgresql_schema
from tests.audit.sites import Site

SETTINGS = ("shared_buffers=16MB", "max_connections=50", "log_min_messages=fatal")


class Cluster:
    """A server that can be started, stopped, killed, and given databases that are ready for a log."""

    addresses = "127.0.0.1"  # where it listens from its next start on

    def __init__(self, binaries: Path, guide: Path) -> None:
        self._binaries = binaries
        self._user = _account()
        self.folder = Path(tempfile.mkdtemp(prefix="log-on-postgresql-"))
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._made: set[str] = set()
        options = ("--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums")
        self._run("initdb", "--pgdata", str(self.folder / "data"), *options)
        self.start()
        self._guide = re.findall(r"```sql\n(.*?)```", guide.read_text("utf-8"), re.DOTALL)
        self.administrate(*self._guide[0].strip().split("\n"))

    def start(self) -> None:
        """Return when the server answers."""
        own = (f"listen_addresses={self.addresses}", f"port={self.port}", f"unix_socket_directories={self.folder}")
        settings = [part for line in (*own, *SETTINGS) for part in ("-c", line)]
        command = [str(self._binaries / "postgres"), "-D", str(self.folder / "data"), *settings]
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, **self._as_user())
        self.wait()

    def recover(self) -> None:
        """Return when the server answers again, after whatever happened to it."""
        if self._server.poll() is None:
            with suppress(RuntimeError):  # it was ending, and nobody had seen it yet
                self.wait()
                return
        self.start()

    def wait(self) -> None:
        """Return when the server answers."""
        for _ in range(300):
            with suppress(psycopg.OperationalError):
                self.administrate("SELECT 1")
                return
            if self._server.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text("utf-8", "replace"))
            time.sleep(0.1)
        raise TimeoutError

    def kill(self) -> None:
        """Kill every process of the server at once, as a loss of power would."""
        main = self._server.pid
        children = Path(f"/proc/{main}/task/{main}/children").read_text("ascii").split()
        for pid in (main, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._server.wait()
        while not all(map(_ended, children)):
            time.sleep(0.01)

    def abort(self) -> None:
        """Have the server stop at once and leave everything to its recovery ("immediate shutdown")."""
        self._server.send_signal(signal.SIGQUIT)
        self._server.wait(60)

    def remove(self) -> None:
        """Stop the server and remove its files."""
        self.abort()
        shutil.rmtree(self.folder)

    def administrate(self, *sql: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Do what a superuser can; return the rows of the last statement."""
        with self.session("postgres", database) as connection:
            for line in sql:
                cursor = connection.execute(line)
            return cursor.fetchall() if cursor.description else []

    def session(self, role: str, database: str) -> psycopg.Connection[Any]:
        """A connection that commits each statement."""
        address = {"host": "127.0.0.1", "port": self.port, "user": role, "dbname": database}
        return psycopg.connect(**address, autocommit=True, connect_timeout=10)  # type: ignore[arg-type]

    def disconnect(self, database: str) -> None:
        """End every session of a database."""
        sessions = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = "
        self.administrate(sessions + f"'{database}'")

    def wait_for(self, setting: str, value: str) -> None:
        """Return when a reloaded configuration is in force for new sessions."""
        while self.administrate(f"SHOW {setting}") != [(value,)]:
            time.sleep(0.01)

    def database(self, *, encoding: str = "UTF8") -> str:
        """Make the database as the how-to says, or empty it: a database of its own for each test takes seconds."""
        name = f"log_{encoding.lower()}"
        if name not in self._made:
            self._made.add(name)
            creation = self._guide[1].strip().replace("radiomicnet_log ", f"{name} ").replace("UTF8", encoding)
            self.administrate(*creation.split("\n"))
        self.disconnect(name)
        self.administrate(f"ALTER DATABASE {name} RESET ALL")
        self.administrate("DROP SCHEMA IF EXISTS radiomicnet_log CASCADE", database=name)
        self.prepare(name, postgresql_schema.script())
        return name

    def prepare(self, database: str, script: str) -> None:
        """Run a script as the administrator does, who reads how-to and manual: by psql."""
        path = self.folder / "schema.sql"
        path.write_text(script, encoding="utf-8")
        address = ("-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", database)
        self._run("psql", "-q", "-v", "ON_ERROR_STOP=1", *address, "-f", str(path))

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._binaries / program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.folder, check=False, **self._as_user())
        if done.returncode:
            raise RuntimeError(done.stderr)

    def _as_user(self) -> dict[str, Any]:
        return {} if self._user is None else {"user": self._user, "group": self._user_group(), "extra_groups": []}

    def _user_group(self) -> int:
        return pwd.getpwnam(self._user or "").pw_gid


def _ended(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def _account() -> str | None:
    """The account that the server runs as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    return next(name for name in ("postgres", "nobody") if name in {entry.pw_name for entry in pwd.getpwall()})


@dataclass
class ServerSite(Site):
    """A site whose log is on a server; its anchor is in the folder."""

    port: int = 0
    name: str = ""
    role: str = "device"

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://{self.role}@127.0.0.1:{self.port}/{self.name}"


class Proxy:
    """Stands between a client and the server, and cuts the line where it is told to.

    After :meth:`arm` with ``n``, the ``n``-th message that comes along from either side is lost with the connection, or
    half of it, and something may be done at that moment.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._left: int | None = None
        self._act: Callable[[], None] | None = None
        self._torn = False
        self._clients: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, messages: int, act: Callable[[], None] | None = None, *, torn: bool = False) -> None:
        """Let so many messages pass, then cut once: after ``act``, and after half a message where ``torn``."""
        self._left, self._act, self._torn = messages, act, torn

    def disarm(self) -> bool:
        """Cut no more; return whether the line was cut since it was armed."""
        cut, self._left = self._left is None, None
        return cut

    def cut(self) -> None:
        """Cut every connection now; the server goes on with what it was told."""
        for client in self._clients:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)  # closing alone would not end a wait for the next one
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._clients.append(client)
                threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        with client, suppress(OSError), socket.create_connection(("127.0.0.1", self._port)) as server:
            other = {client: server, server: client}
            while True:
                for source in select.select([client, server], [], [])[0]:
                    data = source.recv(1 << 16)
                    if self._left == 0:
                        self._left = None
                        if self._torn:
                            other[source].sendall(data[: len(data) // 2])
                        if self._act is not None:
                            self._act()
                        return
                    if not data:
                        return
                    if self._left is not None:
                        self._left -= 1
                    other[source].sendall(data)
