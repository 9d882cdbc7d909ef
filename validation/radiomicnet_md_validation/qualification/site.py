# SPDX-License-Identifier: Apache-2.0
"""What only this computer and this home can tell: platform, permissions, log, clock, and silence on the network.

Rules of this module:

- A check looks, and leaves nothing behind; what it tries on the log is taken back in the same transaction.
- It says what it saw, whether that is right or not.
"""

from __future__ import annotations

import os
import platform
import stat
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import yaml

from radiomicnet_md.compiling import use_private_cache
from radiomicnet_md.config import Settings
from radiomicnet_md.engine import installation
from radiomicnet_md.home import Home, open_home
from radiomicnet_md.opening import newest_first
from radiomicnet_md_audit import clock
from radiomicnet_md_audit.anchor import AnchorFile
from radiomicnet_md_audit.schema import SCHEMA_VERSION
from radiomicnet_md_traceability import load
from radiomicnet_md_validation.qualification.checks import FAIL, NOT_APPLICABLE, PASS

Seen = tuple[str, str]  # verdict, what was seen
_WATCHED_S: Final = 0.25  # how long the two clocks are compared
_DRIFT_S: Final = 0.05  # more than that apart in this time is a clock that jumped
_EVENTS: Final = ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.bind")

_heard: list[str] = []


def listed_platform() -> str | None:
    """The id of the platform that the manufacturer lists as supported and this one is, or None."""
    file = load.folder() / "acceptance" / "platforms.yaml"
    version = ".".join(platform.python_version_tuple()[:2])
    for one in yaml.safe_load(file.read_text(encoding="utf-8")):
        here = (one["system"], one["machine"]) == (platform.system(), platform.machine())
        # The device computes on the processor: an accelerator that is there and not used makes no other platform.
        if here and one["listed"] and one["accelerator"] == "none" and version in one["python"]:
            return str(one["id"])
    return None


def platform_name() -> str:
    """As the record names it."""
    named = f"{platform.system()} on {platform.machine()}, Python {platform.python_version()}"
    return listed_platform() or f"not listed: {named}"


def supported(_: Settings) -> Seen:
    """An unlisted platform fails, and is named."""
    found = listed_platform()
    return (PASS if found else FAIL), f"{platform_name()} ({platform.platform()})"


def own_files(_: Settings) -> Seen:
    """Every file of the program itself against the RECORD that its installation wrote."""
    changed = installation.changed_own_files()
    if changed is None:
        digest = installation.code()["sha256"]
        return NOT_APPLICABLE, f"installed in place, so that no RECORD lists its files; code {digest} is frozen here"
    return (FAIL if changed else PASS), ", ".join(
        changed[:5]
    ) or f"version {installation.code()['version']}, all as listed"


def permissions(settings: Settings) -> Seen:
    """Folders 0700 and files 0600, all of this account, no link among them."""
    home = open_home(settings.home)
    found = list(_loose(home))
    return (FAIL if found else PASS), ", ".join(found[:5]) or "nothing that another account can read or write"


def schema(settings: Settings) -> Seen:
    """The version of the log's tables."""
    with open_home(settings.home).reading_ledger(settings.audit_db) as ledger:
        version = ledger.store.version
    return (PASS if version == SCHEMA_VERSION else FAIL), f"version {version}; this program's is {SCHEMA_VERSION}"


def rows(settings: Settings) -> Seen:
    """Each change of a row, tried in a transaction that is taken back."""
    with open_home(settings.home).reading_ledger(settings.audit_db) as ledger:
        passed = ledger.store.unrefused()
    return (FAIL if passed else PASS), "; ".join(passed) or "UPDATE and DELETE refused in each of 4 tables"


def clocks(settings: Settings) -> Seen:
    """UTC and the monotonic clock go on together, and no record or anchor is of the future."""
    first = clock.now()
    time.sleep(_WATCHED_S)
    second = clock.now()
    drift = abs((second.utc - first.utc) / timedelta(seconds=1) - (second.monotonic_ns - first.monotonic_ns) / 1e9)
    home = open_home(settings.home)
    with home.reading_ledger(settings.audit_db) as ledger:
        newest = ledger.read(next(newest_first(ledger))).log.time_utc
    anchored = AnchorFile(home.anchor).last()
    times = {"the log": newest, "the anchor": anchored.time_utc if anchored else newest}
    ahead = [name for name, at in times.items() if datetime.fromisoformat(at) > second.utc]
    seen = f"{second.text()}; drift {drift * 1e3:.1f} ms in {_WATCHED_S * 1e3:.0f} ms; newest record {newest}"
    if ahead:
        return FAIL, f"behind {' and '.join(ahead)}: {seen}"
    return (PASS if drift <= _DRIFT_S else FAIL), seen


def compiled(_: Settings) -> Seen:
    """The folder of compiled code is this account's alone."""
    use_private_cache()
    folder = Path(os.environ["NUMBA_CACHE_DIR"])
    mode, owner = stat.S_IMODE(folder.stat().st_mode), folder.stat().st_uid
    right = mode == stat.S_IRWXU and owner == os.getuid()
    return (PASS if right else FAIL), f"mode {mode:04o}, owner {'this account' if owner == os.getuid() else owner}"


def listen() -> None:
    """From here on, hear of every connection that this process opens; sockets of this machine's files are none."""
    if not _heard:
        _heard.append("listening")
        sys.addaudithook(_hear)
    del _heard[1:]


def silence(_: Settings) -> Seen:
    """No connection since :func:`listen`."""
    heard = _heard[1:]
    return (FAIL if heard else PASS), ", ".join(heard[:5]) or "no connection, no name looked up"


def _hear(event: str, given: tuple[Any, ...]) -> None:
    if event in _EVENTS:
        place = given[0] if event == "socket.getaddrinfo" else given[-1]
        if not isinstance(place, str | bytes) or event == "socket.getaddrinfo":  # a path is a socket of this machine
            _heard.append(f"{event} {place}")


def _loose(home: Home) -> Iterator[str]:
    for path in (home.folder, home.anchor, *sorted(home.folder.rglob("*"))):
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            yield f"{path.name} is a link"
        elif found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
            yield f"{path.name} {stat.S_IMODE(found.st_mode):04o}"
