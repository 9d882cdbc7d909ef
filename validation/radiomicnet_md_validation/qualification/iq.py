# SPDX-License-Identifier: Apache-2.0
"""Installation qualification: is what is installed here what was released, and is this computer fit to run it?

Rules of this module:

- One table says each check, what is expected and what looks; the protocol in ``docs/regulatory`` is made from it.
- What ``doctor`` looks at is looked at by the same function. What it says of the qualification itself is left out, and
  so is what an earlier installation froze: this one freezes anew.
- One check that breaks does not hide the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from radiomicnet_md import checkup
from radiomicnet_md.config import Settings
from radiomicnet_md.errors import Problem
from radiomicnet_md_validation.qualification import checks, site
from radiomicnet_md_validation.qualification.checks import FAIL, NOT_APPLICABLE, PASS, About, Result

Look = Callable[[Settings], site.Seen]


@dataclass(frozen=True, slots=True)
class _Item:
    """A row of the table."""

    requirements: tuple[str, ...]
    objective: str
    expected: str
    look: Look


def examine(settings: Settings) -> Iterator[Result]:
    """Run every check in the order of the table."""
    site.listen()
    for about, look in zip(protocol(), (item.look for item in _TABLE), strict=True):
        try:
            verdict, actual = look(settings)
        except Problem as problem:
            verdict, actual = FAIL, f"{problem} [{problem.code}]"
        except Exception as error:  # noqa: BLE001 -- one check that breaks must not hide the others
            verdict, actual = FAIL, f"{type(error).__name__}: {error}"
        yield checks.ended(about, verdict, actual)


def protocol() -> list[About]:
    """The checks, numbered, before they run."""
    return [
        About(f"IQ-{number:03d}", item.requirements, item.objective, item.expected)
        for number, item in enumerate(_TABLE, 1)
    ]


def sources() -> list[Path]:
    """The files that the checks are written in."""
    return [Path(str(module.__file__)) for module in (checks, site, checkup)] + [Path(__file__)]


def _doctor(name: str, otherwise: str = FAIL) -> Look:
    """What ``doctor`` finds under this name; where it does not hold, the verdict is ``otherwise``."""

    def look(settings: Settings) -> site.Seen:
        found = checkup.look(name, settings)
        return (PASS if found.ok else otherwise), found.seen

    return look


_TABLE = (
    _Item(("SRS-QUA-004",), "The interpreter is one that is supported", "Python 3.11, 3.12 or 3.13", _doctor("python")),
    _Item(("SRS-QUA-004",), "The machine is one that is supported", "64-bit Linux", _doctor("machine")),
    _Item(
        ("SRS-QUA-004",),
        "The platform is one of those that the manufacturer tests and lists",
        "its id in the list of platforms; any other fails, and is named",
        site.supported,
    ),
    _Item(("SRS-REL-008",), "Every package that the device needs is installed", "none absent", _doctor("packages")),
    _Item(("SRS-REL-008",), "torch is the version of the tests", f"torch {checkup.TORCH}", _doctor("torch")),
    _Item(
        ("SRS-REL-008",),
        "Every dependency has the version that the lock of the release names",
        "as the release's lock says",
        _doctor("locked versions"),
    ),
    _Item(
        ("SRS-REL-008",),
        "No byte of a dependency was changed after it was installed",
        "SHA-256 of every file as its RECORD says",
        _doctor("installed files"),
    ),
    _Item(
        ("SRS-REL-008",),
        "No byte of this program was changed after it was installed",
        "SHA-256 of every file as its RECORD says, no module beside them; not applicable to an installation in place",
        site.own_files,
    ),
    _Item(
        ("SRS-OUT-002", "SRS-OUT-004"),
        "What is needed for DICOM output and pictures is there",
        "the extras dicom and report; not applicable to a site that installed them not",
        _doctor("optional parts", NOT_APPLICABLE),
    ),
    _Item(
        ("SRS-REL-001", "SRS-REL-002", "SRS-REL-007"),
        "The release is the signed one, whole, and not revoked",
        "signature by a trusted key, every file as its manifest says and no other",
        _doctor("release"),
    ),
    _Item(
        ("SRS-REL-004", "SRS-ENG-001"),
        "This computer computes what the manufacturer's computed",
        "every stage digest of the golden inputs",
        _doctor("known answers"),
    ),
    _Item(("SRS-KEY-001",), "The home is there, of a known format", "its folder and kind", _doctor("home")),
    _Item(
        ("SRS-KEY-001",),
        "Nobody but this account can read or write home, keys and anchor",
        "folders 0700 and files 0600, of this account, no links",
        site.permissions,
    ),
    _Item(
        ("SRS-KEY-001", "SRS-KEY-002"),
        "The keys open with the passphrase that is given",
        "engine, log and vault keys open",
        _doctor("keys"),
    ),
    _Item(("SRS-LOG-019",), "The log's tables are of this version", "the version of this program", site.schema),
    _Item(
        ("SRS-LOG-001", "SRS-LOG-013"),
        "The database itself refuses to change or remove a row",
        "UPDATE and DELETE refused in each table, without this program's own guard; nothing is left by trying",
        site.rows,
    ),
    _Item(
        ("SRS-LOG-004", "SRS-LOG-006"),
        "The log verifies from its first entry to its last, and against its anchor",
        "0 findings",
        _doctor("log"),
    ),
    _Item(("SRS-LOG-006",), "The anchor is in its place", "a file outside the home", _doctor("anchor")),
    _Item(
        ("SRS-REC-003",),
        "The clock can be used for records",
        "UTC and the monotonic clock within 50 ms in 250 ms; not behind the newest record or the anchor",
        site.clocks,
    ),
    _Item(("SRS-OUT-003",), "There is room for records and results", "1 GiB free or more", _doctor("disk")),
    _Item(
        ("SRS-REL-009",),
        "Compiled code lies where nobody else can write",
        "a folder of mode 0700, of this account",
        site.compiled,
    ),
    _Item(
        ("SRS-QUA-004",),
        "Nothing of this opened a connection",
        "no connection and no name looked up by this process; a log on a server is reached by its driver alone",
        site.silence,
    ),
)
