# SPDX-License-Identifier: Apache-2.0
"""Everything this device needs is looked at once, and whatever is missing comes with its remedy.

Rules of this module:

- A check looks and changes nothing: no record is written, no file repaired.
- A check ends in a :class:`Finding`, whatever happens in it; one failure does not hide the next.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata

from radiomicnet_md import qualified
from radiomicnet_md.compiling import use_private_cache
from radiomicnet_md.config import Settings
from radiomicnet_md.engine import installation
from radiomicnet_md.engine.installation import DEPENDENCIES
from radiomicnet_md.engine.release import Release, default_folder, open_release, trusted_keys
from radiomicnet_md.errors import Problem
from radiomicnet_md.home import open_home, revoked_list
from radiomicnet_md.qualified import Standing

TORCH = "2.13.0"  # the version the code was made and tested with
PYTHON = ((3, 11), (3, 14))  # from, to before
FREE_BYTES = 1 << 30  # on the disk of the home: some hundred cases
OPTIONAL = {"highdicom": "dicom", "matplotlib": "report"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was seen, and what to do when it is not as it should be."""

    name: str
    ok: bool
    seen: str
    remedy: str = ""


Seen = tuple[bool, str, str]  # ok, what was seen, remedy


def examine(settings: Settings) -> Iterator[Finding]:
    """Run every check, in the order in which a failure of one explains failures of the next."""
    for name in CHECKS:
        yield look(name, settings)


def look(name: str, settings: Settings) -> Finding:
    """Run one of :data:`CHECKS`."""
    try:
        ok, seen, remedy = CHECKS[name](settings)
    except Problem as problem:
        ok, seen, remedy = False, f"{problem} [{problem.code}]", problem.remedy
    except Exception as error:  # noqa: BLE001 -- one failing check must not hide the others
        ok, seen, remedy = False, f"{type(error).__name__}: {error}", "Report this as a defect."
    return Finding(name, ok, seen, "" if ok else remedy)


def _python(settings: Settings) -> Seen:
    del settings
    held = PYTHON[0] <= sys.version_info[:2] < PYTHON[1]
    return held, platform.python_version(), "Use Python 3.11, 3.12 or 3.13."


def _machine(settings: Settings) -> Seen:
    del settings
    seen = f"{platform.platform()}, {sys.byteorder}-endian; no GPU is used"
    return platform.system() == "Linux" and sys.maxsize > 1 << 32, seen, "Use a 64-bit Linux."


def _torch(settings: Settings) -> Seen:
    del settings
    version = metadata.version("torch")
    return version.split("+")[0] == TORCH, version, f"Install torch=={TORCH}; everything was tested with it."


def _packages(settings: Settings) -> Seen:
    del settings
    absent = [name for name in DEPENDENCIES if not _installed(name)]
    seen = f"{', '.join(absent)} absent" if absent else f"{len(DEPENDENCIES)} present"
    return not absent, seen, "Install the package again: make setup"


def _optional(settings: Settings) -> Seen:
    del settings
    absent = [f"{name} ({extra})" for name, extra in OPTIONAL.items() if not _installed(name)]
    seen = f"{', '.join(absent)} absent" if absent else "DICOM output and pictures"
    return not absent, seen, "pip install 'radiomicnet-md[dicom,report]'"


def _files(settings: Settings) -> Seen:
    """Every byte of what the device computes with; the start of a device compares sizes alone."""
    del settings
    installation.refuse_changed_files(thorough=True)
    return True, f"every file of {len(DEPENDENCIES)} packages as it was installed", ""


def _versions(settings: Settings) -> Seen:
    release = _open_release(settings)
    installation.refuse_other_code(release.manifest)
    installation.refuse_other_versions(release.files)
    locked = installation.LOCK in release.files
    return True, "as the release's lock says" if locked else "this release names none; it is older than that rule", ""


def _frozen(settings: Settings) -> Seen:
    home, stands = open_home(settings.home), _standing(settings)
    installed = qualified.frozen(home, stands)
    installation.refuse_changed_records(installed)
    last = "qualified" if stands.qualified else "upgraded"
    when = f"when it was {last}" if stands.installed else "when this home was made"
    return True, f"{len(installed)} as {when}" if installed else "this home froze none", ""


def _qualification(settings: Settings) -> Seen:
    home, stands = open_home(settings.home), _standing(settings)
    if stands.qualified:
        named = ", ".join(f"{kind} {record_id}" for kind, record_id in stands.records.items())
        stamped = "" if home.clinical else "; a demonstration home stamps every record all the same"
        return True, f"QUALIFIED here by the records {named}{stamped}", ""
    seen = f"UNQUALIFIED: {'; '.join(stands.lacks)}"
    if home.clinical:
        return False, f"{seen}; a clinical home refuses", qualified.REMEDY
    return True, f"{seen}; a demonstration home decides and stamps every record", ""


def _standing(settings: Settings) -> Standing:
    with open_home(settings.home).reading_ledger(settings.audit_db) as ledger:
        return qualified.standing(ledger, _open_release(settings))


def _decides(settings: Settings) -> Seen:
    """What a case would meet just now: the start of a device, with everything but a case and a record."""
    from radiomicnet_md.opening import refusal

    problem = refusal(settings)
    if problem is None:
        return True, "cases inside the intended use; others are refused with a record", ""
    return False, f"nothing: every case would be refused, for: {problem} [{problem.code}]", problem.remedy


def _release(settings: Settings) -> Seen:
    release = _open_release(settings)
    return True, f"{release.id} {release.version}, {len(release.files)} files as signed", ""


def _answers(settings: Settings) -> Seen:
    use_private_cache()
    from radiomicnet_md.engine.starting import started

    started(_open_release(settings))
    return True, "every stage digest as recorded in the release", ""


def _home(settings: Settings) -> Seen:
    home = open_home(settings.home)
    return True, f"{home.folder} ({'clinical' if home.clinical else 'demonstration'})", ""


def _keys(settings: Settings) -> Seen:
    home = open_home(settings.home)
    passphrase = home.passphrase()
    home.vault_key(passphrase)
    home.keys(passphrase)
    return True, "engine, log and vault keys open" + (f" ({', '.join(home.stamps)})" if home.stamps else ""), ""


def _log(settings: Settings) -> Seen:
    from radiomicnet_md_audit.stored import verify_ledger

    with open_home(settings.home).reading_ledger(settings.audit_db) as ledger:
        report = verify_ledger(ledger, ledger.anchor_text())
    seen = f"{report.size} entries, {len(report.findings)} findings"
    return report.ok, seen, "Run: radiomicnet-md audit verify"


def _anchor(settings: Settings) -> Seen:
    anchor = open_home(settings.home).anchor
    seen = f"{anchor} (same machine)" if anchor.is_file() else f"{anchor} is absent"
    return anchor.is_file(), seen, "Restore the anchor from a copy; without it, a log set back would not be seen."


def _disk(settings: Settings) -> Seen:
    place = next(folder for folder in (settings.home, *settings.home.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    return free >= FREE_BYTES, f"{free / (1 << 30):.1f} GiB free for the home", "Free at least 1 GiB."


def _threads(settings: Settings) -> Seen:
    del settings
    usable = len(os.sched_getaffinity(0))
    return True, f"{usable} usable; the result does not depend on it", ""


def _open_release(settings: Settings) -> Release:
    folder, keys = settings.release or default_folder(), trusted_keys(*settings.release_keys)
    return open_release(folder, keys=keys, revoked=(revoked_list(settings.home),))


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


CHECKS: dict[str, Callable[[Settings], Seen]] = {
    "python": _python,
    "machine": _machine,
    "torch": _torch,
    "packages": _packages,
    "optional parts": _optional,
    "installed files": _files,
    "release": _release,
    "locked versions": _versions,
    "known answers": _answers,
    "home": _home,
    "frozen packages": _frozen,
    "keys": _keys,
    "log": _log,
    "anchor": _anchor,
    "disk": _disk,
    "threads": _threads,
    "qualification": _qualification,
    "decides": _decides,
}
