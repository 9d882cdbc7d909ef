# SPDX-License-Identifier: Apache-2.0
"""A desk opens with its log first, so that everything that keeps it from deciding can be recorded.

Rules of this module:

- Home, keys and log come first; a failure there is raised, for there is nothing to record it in.
- What an earlier process began and left without a record is recorded next, before anything new is decided.
- Release, qualification, installation and known answers come next; a failure there bars the desk, and each
  request to a barred desk is recorded with the reason.
- The release that this home used last is read from its log, where nobody can lower it unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from radiomicnet_md import qualified, shelf
from radiomicnet_md.compiling import use_private_cache
from radiomicnet_md.config import Settings
from radiomicnet_md.desk import Desk
from radiomicnet_md.engine import installation, record
from radiomicnet_md.engine.record import Maker
from radiomicnet_md.engine.release import Release, default_folder, open_release, trusted_keys
from radiomicnet_md.engine.state import Event, State, after, may_decide
from radiomicnet_md.errors import ConfigurationError, IntegrityError, NotQualifiedError, Problem
from radiomicnet_md.home import Home, open_home, revoked_list
from radiomicnet_md.intent import interrupted, is_interruption
from radiomicnet_md.privacy import erasure
from radiomicnet_md.privacy.people import Keeper
from radiomicnet_md.qualified import Standing

if TYPE_CHECKING:
    from radiomicnet_md.engine.segment import Engine
    from radiomicnet_md_audit.ledger import Entry, Ledger


@contextmanager
def open_desk(settings: Settings, passphrase: bytes | None = None) -> Iterator[Desk]:
    """The desk of a home, ready or barred, for as long as it is needed; ``passphrase`` where somebody gave it before.

    Raises :class:`ConfigurationError` when home, keys or log cannot be used, and whatever keeps the log from
    saying which of the attempts that a crash left behind it holds, or from recording the others. An erasure that
    a crash interrupted is finished.
    """
    home = open_home(settings.home)
    use_private_cache()
    passphrase = home.passphrase() if passphrase is None else passphrase
    with home.writing_ledger(passphrase, settings.audit_db) as ledger:
        _settle(settings, home, ledger)
        erasure.finish(home, ledger)
        yield _desk(settings, home, ledger, home.vault_key(passphrase))


@contextmanager
def open_keeper(settings: Settings) -> Iterator[Keeper]:
    """A home with its log and the key of its vault, to look up people, hold and erase; it decides nothing.

    Raises as :func:`open_desk`.
    """
    home = open_home(settings.home)
    passphrase = home.passphrase()
    with home.writing_ledger(passphrase, settings.audit_db) as ledger:
        erasure.finish(home, ledger)
        yield Keeper(
            home,
            ledger,
            home.vault_key(passphrase),
            settings.account,
            partial(_settle, settings, home, ledger),
        )


def refusal(settings: Settings) -> Problem | None:
    """Why this device would refuse every case just now, or None; looks and records nothing.

    Raises :class:`ConfigurationError` when home or log cannot be used.
    """
    home = open_home(settings.home)
    use_private_cache()
    with home.reading_ledger(settings.audit_db) as ledger:
        try:
            release = verified_release(settings, ledger)
            engine, _ = _started(release, home, qualified.standing(ledger, release))
        except (ConfigurationError, IntegrityError) as problem:
            return problem
    return engine if isinstance(engine, Problem) else None


def _settle(settings: Settings, home: Home, ledger: Ledger) -> None:
    """Finish, or record as interrupted, what processes that are gone have begun."""
    shelf.settle(home.folder, partial(_finished, ledger, partial(maker, settings, home, None)))


def _finished(ledger: Ledger, made: Callable[[], Maker], record_id: str, intent: bytes) -> bool:
    """Whether the log holds an attempt's own record; where it holds none, it takes the one of an interruption."""
    if not ledger.holds(record_id):
        ledger.append(record.statement(interrupted(record_id, intent, made())))
        return False
    # An opening may have been killed too, between its record of the interruption and the removal.
    return not is_interruption(ledger.read(ledger.find(record_id)).predicate)


def _desk(settings: Settings, home: Home, ledger: Ledger, vault_key: bytes) -> Desk:
    release: Release | None = None
    stands: Standing | None = None
    try:
        release = verified_release(settings, ledger)
        stands = qualified.standing(ledger, release)
        engine, state = _started(release, home, stands)
    except (ConfigurationError, IntegrityError) as problem:
        engine, state = problem, after(State.UNQUALIFIED, Event.CHANGED)
    return Desk(home, ledger, vault_key, maker(settings, home, release, stands), engine, state)


def maker(settings: Settings, home: Home, release: Release | None, stands: Standing | None = None) -> Maker:
    """Who decides here, with what, and by which qualification."""
    named = None
    if release is not None:
        named = {"id": release.id, "version": release.version, "manifest_sha256": release.manifest_sha256}
    return Maker(
        stamps=home.stamps,
        operator=settings.account,
        release=named,
        code=installation.code(),
        environment=installation.environment(),
        configuration_sha256=settings.digest,
        qualification=dict(stands.records) if stands is not None and stands.qualified else None,
    )


def verified_release(settings: Settings, ledger: Ledger) -> Release:
    """The release in force: of the id this home serves, and no older than the newest it has used.

    Raises :class:`IntegrityError` for a release that was changed, revoked or is older;
    :class:`ConfigurationError` for one of another id.
    """
    used = last_release(ledger)
    release = offered_release(settings, used)
    if used is not None:
        release.refuse_older_than(used["version"])
    return release


def offered_release(settings: Settings, used: Mapping[str, str] | None) -> Release:
    """The release that the settings name, of the id of the one that was ``used``, of whatever version.

    Raises as :func:`verified_release`, but for an older one.
    """
    folder = settings.release or default_folder()
    release = open_release(folder, keys=trusted_keys(*settings.release_keys), revoked=(revoked_list(settings.home),))
    if used is not None and release.id != used["id"]:
        raise ConfigurationError(
            "E-RELEASE-OTHER",
            f"This home has used releases of {used['id']}; this one is of {release.id}.",
            remedy="Make another home for another device: radiomicnet-md init --home DIR",
        )
    return release


def last_release(ledger: Ledger) -> Mapping[str, str] | None:
    """The release of the newest record that names one.

    An earlier record names a newer one only where an older one was taken in on the record (see ``upgrade``).
    """
    for entry in newest_first(ledger):
        release = ledger.read(entry).predicate.get("release")
        if isinstance(release, dict):
            return release
    return None


def newest_first(ledger: Ledger) -> Iterator[Entry]:
    """The log from its end."""
    for index in range(ledger.size - 1, -1, -1):
        yield from ledger.entries(index, index + 1)


def _started(release: Release, home: Home, stands: Standing) -> tuple[Engine | Problem, State]:
    """The engine with its known answers given, or why there is none; and the state that follows."""
    state = State.UNQUALIFIED
    if stands.qualified:
        state = after(state, Event.QUALIFICATION_SIGNED)
    elif not may_decide(state, clinical=home.clinical):
        return stands.refusal(), state
    try:
        installation.refuse_drift(release.manifest, release.files, qualified.frozen(home, stands))
    except NotQualifiedError as problem:
        return problem, after(state, Event.CHANGED)
    from radiomicnet_md.engine.starting import started

    try:
        engine = started(release)
    except NotQualifiedError as problem:
        return problem, after(state, Event.ANSWERS_FAILED)
    return engine, after(state, Event.ANSWERS_HELD)
