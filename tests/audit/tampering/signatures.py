# SPDX-License-Identifier: Apache-2.0
"""People were added and one of them signed, honestly; or somebody makes it look as if.

After an honest step the reader's copy of the anchor knows of it. People's keys come from seeds (see ``signers``); who
attacks has none of them unless the case says so.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from radiomicnet_md_audit import statement
from radiomicnet_md_audit.esignature import Signed
from radiomicnet_md_audit.ledger import Ledger
from tests.audit import signers
from tests.audit.signers import Signers
from tests.audit.tampering.attacks import attack, document, sealed
from tests.audit.tampering.scene import DECISIONS, Scene, decision

_OWN = 900  # the seed of a key of the attacker's own


@contextmanager
def _log(scene: Scene) -> Iterator[Ledger]:
    keys = scene.keys
    with Ledger.open(scene.url, keys.engine, keys.log, scene.anchor, cosigner=keys.cosigner) as ledger:
        yield ledger


@attack
def signed(scene: Scene, *, also: str = "", operator: str = "uid:1000", **more: Any) -> None:  # noqa: ANN401
    """Add an administrator, a reviewer and a decision by ``operator``, and let the reviewer approve it.

    ``also``: what happens before that, honestly. ``more`` is what the reviewer says otherwise, of their own will.
    """
    with _log(scene) as ledger:
        made = Signers(ledger)
        made.add("anna", "admin")
        made.add("rita", "reviewer", by="anna")
        receipt = ledger.append(decision(41, operator=operator))
        rita = made.people["rita"]
        if also == "disabled":
            made.change("disabled", replace(rita, enabled=False), "anna")
        elif also == "a reader now":
            made.change("roles", replace(rita, roles=("reader",)), "anna")
        elif also == "locked":
            for number in range(5):
                made.attempt("rita", "locked" if number == 4 else "failed")
        made.sign("rita", receipt, **more)
    shutil.copy(scene.anchor, scene.kept)


@attack
def exported(scene: Scene) -> None:
    """Make the export anew, as the home does."""
    shutil.rmtree(scene.export)
    if scene.audit("export", str(scene.export)).exit:
        raise RuntimeError(scene.audit("export", str(scene.export)))


def _signature(envelopes: list[bytes]) -> int:
    kinds = [document(envelope)["predicateType"] for envelope in envelopes]
    return kinds.index(statement.SIGNATURE)


def _made_anew(scene: Scene, envelopes: list[bytes]) -> None:
    scene.rewrite(envelopes, scene.issued(envelopes, scene.log_keys))
    scene.forge_anchor()


@attack
def reworded(scene: Scene, **changes: object) -> None:
    """Change the record of the signature, and make everything anew with the keys of engine and log."""
    envelopes = scene.entries()
    index = _signature(envelopes)
    said = document(envelopes[index])
    said["predicate"] |= changes
    envelopes[index] = sealed(said, scene.keys.engine)
    _made_anew(scene, envelopes)


@attack
def lifted(scene: Scene) -> None:
    """Put the signature on the third decision, and make everything anew with the keys of engine and log."""
    envelopes = scene.entries()
    index = _signature(envelopes)
    said, other = document(envelopes[index]), envelopes[3]
    named = Signed(document(other)["predicate"]["record_id"], 3, _sha256(other))
    said["predicate"]["signed"] = named._asdict()
    said["subject"][0]["digest"]["sha256"] = named.envelope_sha256
    envelopes[index] = sealed(said, scene.keys.engine)
    _made_anew(scene, envelopes)


@attack
def decision_changed(scene: Scene) -> None:
    """Change the decision that was signed, and make everything anew with the keys of engine and log."""
    envelopes = scene.entries()
    index = document(envelopes[_signature(envelopes)])["predicate"]["signed"]["log_index"]
    said = document(envelopes[index])
    said["predicate"]["state"] = "REFUSED"
    envelopes[index] = sealed(said, scene.keys.engine)
    _made_anew(scene, envelopes)


@attack
def earlier_removed(scene: Scene) -> None:
    """Take the export's record out of the log, before the decision that was signed, with both keys."""
    envelopes = scene.entries()
    del envelopes[DECISIONS + 1]
    for index in range(DECISIONS + 1, len(envelopes)):
        said = document(envelopes[index])
        said["predicate"]["log"]["counter"] -= 1
        envelopes[index] = sealed(said, scene.keys.engine)
    _made_anew(scene, envelopes)


@attack
def forged(scene: Scene, how: str) -> None:
    """Add a record with the keys of engine and log, and without anybody's own."""
    with _log(scene) as ledger:
        rita = signers.person("rita", _OWN, must_change=False)
        (about,) = ledger.entries(DECISIONS, DECISIONS + 1)
        named = Signed(ledger.read(about).record_id, about.index, _sha256(about.envelope))
        if how == "her key":
            ledger.append(signers.changed(ledger.origin, 801, "passphrase", rita, "rita", _OWN, _OWN))
        elif how == "an administrator":
            mine = signers.person("mallory", _OWN, "admin")
            ledger.append(signers.changed(ledger.origin, 802, "added", mine, None, None, _OWN))
        elif how == "a success":
            ledger.append(signers.attempted(803, "rita", "succeeded"))
        else:
            said = signers.signature(804, rita, named)
            ledger.append(signers.put_down(ledger.origin, said, _OWN))


@attack
def taken_over(scene: Scene) -> None:
    """Lock the administrator by failures that nobody made, and add another one, with the keys of engine and log."""
    with _log(scene) as ledger:
        for number in range(5):
            ledger.append(signers.attempted(810 + number, "anna", "locked" if number == 4 else "failed"))
        mine = signers.person("mallory", _OWN, "admin")
        ledger.append(signers.changed(ledger.origin, 820, "added", mine, None, None, _OWN))


def _sha256(envelope: bytes) -> str:
    return hashlib.sha256(envelope).hexdigest()
