# SPDX-License-Identifier: Apache-2.0
"""From a home and its log to numbers; the log is read on from where it was read before.

Rules of this module:

- A counter only grows while this process lives. A log that is shorter than before was set back: then it begins anew.
- How long a decision took does not stand in the log. How long a result took from its record to its destination does,
  and is counted.
- What cannot be told is left out, and never zero.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radiomicnet_md import __version__, qualified
from radiomicnet_md.engine import installation
from radiomicnet_md.engine.release import default_folder, open_release, trusted_keys
from radiomicnet_md.errors import Problem
from radiomicnet_md.home import Home, open_home, revoked_list
from radiomicnet_md.metrics.exposition import Family, Histogram, Sample, counted, gauge
from radiomicnet_md_audit.statement import DECISION, SENDING

if TYPE_CHECKING:
    from radiomicnet_md.config import Settings
    from radiomicnet_md.engine.release import Release
    from radiomicnet_md.qualified import Standing
    from radiomicnet_md_audit.ledger import Ledger
    from radiomicnet_md_audit.statement import Statement

STATES = ("RESULT", "REFUSED", "ERROR")
SECONDS = (1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, 86400.0)
_NAME = "radiomicnet_md_"
_BOXES = {
    "inbox": ("inbox/*.dcm", "inbox/failed/*.dcm"),
    "outbox": ("outbox/[0-7]*", "outbox/failed/[0-7]*"),
}


class Reader:
    """Reads the home of some settings, again and again."""

    def __init__(self, settings: Settings) -> None:
        """Begin before the first entry."""
        self._settings = settings
        self._begin()

    def _begin(self) -> None:
        self._read = 0
        self._states: Counter[str] = Counter(dict.fromkeys(STATES, 0))
        self._reasons: Counter[tuple[str, str]] = Counter()
        self._kinds: Counter[str] = Counter()
        self._delivery = Histogram(SECONDS)
        self._last: datetime | None = None

    def families(self) -> list[Family]:
        """Everything, as it is now.

        Raises :class:`ConfigurationError` and :class:`IntegrityError` as opening home, release and log does.
        """
        home = open_home(self._settings.home)
        release = _release(self._settings)
        with home.reading_ledger(self._settings.audit_db) as ledger:
            self._go_on(ledger)
            stands = None if release is None else qualified.standing(ledger, release)
        return [
            _info(home, release),
            *_standing(stands),
            *self._counts(),
            *self._log(home),
            *_boxes(home.folder),
            gauge(f"{_NAME}disk_free_bytes", "Free on the disk of the home.", shutil.disk_usage(home.folder).free),
        ]

    def _go_on(self, ledger: Ledger) -> None:
        if ledger.size < self._read:
            self._begin()
        for entry in ledger.entries(self._read):
            self._take(ledger, ledger.read(entry))
            self._read = entry.index + 1

    def _take(self, ledger: Ledger, said: Statement) -> None:
        about: dict[str, Any] = said.predicate
        self._last = _time(said)
        self._kinds[said.predicate_type.split(":")[-2]] += 1
        if said.predicate_type == DECISION:
            self._states[about["state"]] += 1
            if about["reason"] is not None:
                self._reasons[about["state"], about["reason"]["code"]] += 1
        elif said.predicate_type == SENDING and about["of"] is not None:
            decided = _time(ledger.read(ledger.find(about["of"])))
            self._delivery.add((self._last - decided).total_seconds())

    def _counts(self) -> Iterator[Family]:
        yield counted(f"{_NAME}decisions_total", "Decisions in the log, by state.", self._states, "state")
        reasons = [Sample(n, {"state": state, "code": code}) for (state, code), n in sorted(self._reasons.items())]
        yield Family(f"{_NAME}reasons_total", "counter", "Refusals and errors in the log, by code.", reasons)
        yield counted(f"{_NAME}records_total", "Records of every type in the log.", self._kinds, "type")
        text = "From the record of a decision to the record that a destination has taken its objects."
        yield self._delivery.family(f"{_NAME}delivery_seconds", text)

    def _log(self, home: Home) -> Iterator[Family]:
        yield gauge(f"{_NAME}log_entries", "Entries of the log.", self._read)
        files = [home.folder / f"audit.db{ending}" for ending in ("", "-wal")]
        if files[0].exists():
            size = sum(path.stat().st_size for path in files if path.exists())
            yield gauge(f"{_NAME}log_bytes", "The log's database and its write-ahead log.", size)
        if home.anchor.exists():
            yield gauge(f"{_NAME}anchor_bytes", "The anchor beside the home.", home.anchor.stat().st_size)
        if self._last is not None:
            age = (datetime.now(UTC) - self._last).total_seconds()
            yield gauge(f"{_NAME}checkpoint_age_seconds", "Since the newest signed checkpoint of the log.", age)


def _info(home: Home, release: Release | None) -> Family:
    kind = "clinical" if home.clinical else "demonstration"
    labels = {"version": __version__, "code_sha256": installation.code()["sha256"], "home": kind}
    if release is not None:
        labels |= {"release": release.id, "release_version": release.version}
        labels["manifest_sha256"] = release.manifest_sha256
    return gauge(f"{_NAME}info", "What runs here.", 1, **labels)


def _standing(stands: Standing | None) -> Iterator[Family]:
    yield gauge(f"{_NAME}release_verified", "Whether the release in force verifies (1).", float(stands is not None))
    if stands is not None:
        yield gauge(f"{_NAME}qualified", "Whether this installation is qualified here (1).", float(stands.qualified))


def _boxes(home: Path) -> Iterator[Family]:
    for box, (waiting, aside) in _BOXES.items():
        yield gauge(f"{_NAME}{box}_waiting", f"What waits in the {box}.", len(list(home.glob(waiting))))
        yield gauge(f"{_NAME}{box}_set_aside", f"What was set aside in the {box}.", len(list(home.glob(aside))))


def _release(settings: Settings) -> Release | None:
    """The release in force; None where it does not verify."""
    folder, keys = settings.release or default_folder(), trusted_keys(*settings.release_keys)
    try:
        return open_release(folder, keys=keys, revoked=(revoked_list(settings.home),))
    except Problem:
        return None


def _time(said: Statement) -> datetime:
    return datetime.strptime(said.log.time_utc, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
