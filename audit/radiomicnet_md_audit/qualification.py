# SPDX-License-Identifier: Apache-2.0
"""What a qualification came to, of which installation, in which report; its verdict follows from its counts.

Rules of this module:

- It is a record of its own (``qualification:1``): installation (iq), operation (oq) or performance (pq).
- It names the installation whole: code, environment, release and the RECORD of every dependency, by their digests.
  Whoever compares it with what runs now needs nothing else.
- PASS takes at least one check that passed and none that failed or ended in nothing. What did not apply is listed by
  its id, like everything else that did not pass.
- It qualifies nothing by itself: a person's signature on it does (see ``esignature``). No identity stands in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn, TypeGuard

from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.esignature import is_shown
from radiomicnet_md_audit.statement import Statement

KINDS: Final = ("iq", "oq", "pq")
VERDICTS: Final = ("PASS", "FAIL", "INCONCLUSIVE", "NOT APPLICABLE")  # of a check; a qualification has the first three
REPORT: Final = "report.json"
MOST_OPEN: Final = 256

_SHA256 = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z", re.ASCII)
_CHECK = re.compile(r"[A-Z]{2}-[0-9]{3}")


@dataclass(frozen=True)
class Installation:
    """What was qualified, or what runs now: four parts, each named by digests."""

    code: Mapping[str, str]  # version, sha256
    environment: Mapping[str, str]  # sha256, and in words what it is over
    release: Mapping[str, str]  # id, version, manifest_sha256
    installed: Mapping[str, str]  # SHA-256 of each dependency's RECORD, by name

    @property
    def has_digests(self) -> bool:
        """Whether every part is named by digests of the right form."""
        named = (self.code["sha256"], self.environment["sha256"], self.release["manifest_sha256"])
        return all(map(_SHA256.fullmatch, (*named, *self.installed.values())))

    def differs(self, other: Installation) -> tuple[str, ...]:
        """Return the names of the parts that are not the same in the other one."""
        pairs = {
            "code": (self.code["sha256"], other.code["sha256"]),
            "environment": (self.environment["sha256"], other.environment["sha256"]),
            "release": (self.release["manifest_sha256"], other.release["manifest_sha256"]),
            "installed packages": (dict(self.installed), dict(other.installed)),
        }
        return tuple(name for name, (one, another) in pairs.items() if one != another)


@dataclass(frozen=True)
class Qualification:
    """What a ``qualification:1`` record says."""

    kind: str  # one of KINDS
    began_utc: str
    platform: str  # the id of a listed platform, or "not listed: " and its name
    protocol_sha256: str  # of the checks themselves
    installation: Installation
    passed: int
    not_passed: Mapping[str, str]  # verdict by the id of the check: one of VERDICTS but the first
    files: tuple[tuple[str, str], ...]  # pairs of a name and a SHA-256 in hex, sorted; report.json is one of them

    @property
    def verdict(self) -> str:
        """PASS, FAIL or INCONCLUSIVE."""
        return verdict(self.passed, self.not_passed)

    def predicate(self) -> dict[str, object]:
        """Return what it says as plain values, as they stand in the record."""
        seen = self.installation
        return {
            "kind": self.kind,
            "verdict": self.verdict,
            "began_utc": self.began_utc,
            "platform": self.platform,
            "protocol_sha256": self.protocol_sha256,
            "code": dict(seen.code),
            "environment": dict(seen.environment),
            "release": dict(seen.release),
            "installed": dict(seen.installed),
            "passed": self.passed,
            "not_passed": dict(self.not_passed),
            "files": [{"name": name, "sha256": digest} for name, digest in self.files],
        }


def verdict(passed: int, not_passed: Mapping[str, str]) -> str:
    """Return what checks of these verdicts come to."""
    found = set(not_passed.values())
    if "FAIL" in found:
        return "FAIL"
    return "PASS" if passed and "INCONCLUSIVE" not in found else "INCONCLUSIVE"


def parse(said: Statement) -> Qualification:
    """Return what a record says; raise :class:`IntegrityError` ``E-QUALIFICATION-FORM`` for another form."""
    match said.predicate:
        case {
            "record_id": str(),
            "log": dict(),
            "operator": str(),
            "stamps": list(),
            "kind": str(kind),
            "verdict": str(told),
            "began_utc": str(began),
            "platform": str(platform),
            "protocol_sha256": str(protocol),
            "code": {"version": str(), "sha256": str()} as code,
            "environment": {"sha256": str()} as environment,
            "release": {"id": str(), "version": str(), "manifest_sha256": str()} as release,
            "installed": dict(installed),
            "passed": int(passed),
            "not_passed": dict(not_passed),
            "files": list(files),
            **more,
        } if not more and type(passed) is int:
            *parts, named = map(_texts, (code, environment, release, installed, not_passed))
            pairs = tuple(map(_file, files))
            found = Qualification(kind, began, platform, protocol, Installation(*parts), passed, named, pairs)
            _check(found, told, said)
            return found
    return _fail()


def _check(found: Qualification, told: str, said: Statement) -> None:
    if not (
        found.kind in KINDS
        and told == found.verdict
        and found.passed >= 0
        and len(found.not_passed) <= MOST_OPEN
        and all(_CHECK.fullmatch(name) and how in VERDICTS[1:] for name, how in found.not_passed.items())
        and found.installation.has_digests
        and _SHA256.fullmatch(found.protocol_sha256)
        and _TIME.fullmatch(found.began_utc)
        and is_shown(found.files)
        and said.document["subject"] == [{"name": "report", "digest": {"sha256": dict(found.files).get(REPORT)}}]
    ):
        _fail()


def _file(item: object) -> tuple[str, str]:
    match item:
        case {"name": str(name), "sha256": str(digest), **more} if not more:
            return name, digest
    return _fail()


def is_texts(value: object) -> TypeGuard[dict[str, str]]:
    """Whether this is an object of texts alone."""
    return isinstance(value, dict) and all(isinstance(part, str) for part in value.values())


def _texts(value: object) -> dict[str, str]:
    return value if is_texts(value) else _fail()


def _fail() -> NoReturn:
    raise IntegrityError(
        "E-QUALIFICATION-FORM",
        "A record of a qualification has another form, or another verdict than its counts come to.",
        remedy="Count this qualification as none, qualify again, and compare the log with earlier exports.",
    )
