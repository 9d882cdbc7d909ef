# SPDX-License-Identifier: Apache-2.0
"""Another installation, newer or older, is taken into a home on the record: from what, to what, and why.

Rules of this module:

- What is taken in is what runs now. It has to be whole: release signed and not revoked, of this home's device, code and
  dependencies as the release names them, every installed byte as it was installed.
- The record comes from whoever holds the home's keys. It is what the home is held to from then on, an older release
  included, and it ends every qualification (see ``qualified``).
- Nothing else is changed: the log goes on, and no earlier record is touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from radiomicnet_md import qualified
from radiomicnet_md.engine import installation
from radiomicnet_md.errors import UsageError
from radiomicnet_md.intent import new_id
from radiomicnet_md.opening import last_release, newest_first, offered_release
from radiomicnet_md.privacy import holds
from radiomicnet_md_audit.installed import PARTS, Taken
from radiomicnet_md_audit.statement import INSTALLATION, build

if TYPE_CHECKING:
    from radiomicnet_md.config import Settings
    from radiomicnet_md.privacy.people import Keeper
    from radiomicnet_md_audit.appending import Receipt
    from radiomicnet_md_audit.ledger import Ledger

_NAMED_BY: Final = {"code": "sha256", "environment": "sha256", "release": "manifest_sha256"}


@dataclass(frozen=True, slots=True)
class Done:
    """An installation that was taken in."""

    receipt: Receipt
    said: Taken
    changed: tuple[str, ...]  # the names of the parts that are not what they were


def take_in(settings: Settings, keeper: Keeper, why: str) -> Done:
    """Record that what runs now is what this home is held to from now on.

    Raises :class:`UsageError` ``E-UPGRADE-SAME`` where it is that already, and ``E-REASON``; whatever is wrong with
    the release or the installation (:class:`IntegrityError`, :class:`NotQualifiedError`); and what the log raises.
    """
    why = holds.checked_reason(keeper, [], why)
    ledger = keeper.ledger
    release = offered_release(settings, last_release(ledger))
    installation.refuse_other_code(release.manifest)
    installation.refuse_other_versions(release.files)
    installation.refuse_changed_files(thorough=True)
    frozen = qualified.frozen(keeper.home, qualified.standing(ledger, release))
    said = Taken(_known(ledger, frozen), qualified.present(release), why)
    changed = tuple(name for name in said.before if _differs(name, said.before[name], getattr(said.now, name)))
    if not changed:
        raise UsageError(
            "E-UPGRADE-SAME",
            "This home is held to this very installation and release already; nothing was recorded.",
            remedy="Run the command of the installation, and name the --release, that the home shall go on with.",
        )
    about = {"record_id": new_id(), "operator": keeper.operator, "stamps": list(keeper.home.stamps)}
    document = build(INSTALLATION, {"release": release.manifest_sha256}, {**said.predicate(), **about})
    return Done(ledger.append(document), said, changed)


def _known(ledger: Ledger, frozen: Mapping[str, str]) -> dict[str, Mapping[str, str]]:
    """What the home was held to: the newest record that names a release, and the packages that were frozen."""
    newest: Mapping[str, Any] = {}
    for entry in newest_first(ledger):
        newest = ledger.read(entry).predicate
        if isinstance(newest.get("release"), dict):
            break
    known = {name: newest[name] for name in PARTS if isinstance(newest.get(name), dict)}
    return {**known, "installed": dict(frozen)} if frozen else known


def _differs(name: str, one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    digest = _NAMED_BY.get(name)
    return dict(one) != dict(other) if digest is None else one[digest] != other[digest]
