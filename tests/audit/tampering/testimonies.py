# SPDX-License-Identifier: Apache-2.0
"""A witness whom the policies name has seen the log; then its words, or the log under them, are changed."""

from __future__ import annotations

from dataclasses import replace

from radiomicnet_md_audit import checkpoint
from radiomicnet_md_audit import policy as policies
from radiomicnet_md_audit.cosignature import Cosigner, cosign, with_line
from radiomicnet_md_audit.note import parse
from radiomicnet_md_audit.testimony import OutsideFile, Vouched, beside
from tests.audit.tampering.attacks import attack
from tests.audit.tampering.scene import Scene, stranger

_NAME, _WITNESS, _SEEN = "witness.example/w1", 5, 1_790_000_000


@attack
def witnessed(scene: Scene) -> None:
    """Let a witness cosign the newest checkpoint, honestly; the home's policy and the reader's name it."""
    key = stranger(_WITNESS)
    for path in (scene.policy, scene.home / "policy.json"):
        trusted = replace(policies.parse(path.read_bytes()), witnesses=(Cosigner(_NAME, key.public),))
        path.write_bytes(trusted.to_json())
    _say(scene, scene.notes()[-1])


@attack
def misquoted(scene: Scene) -> None:
    """Put the witness's line under a checkpoint of another size, which the log has signed."""
    line = parse(OutsideFile(beside(scene.anchor)).read().decode().split('"')[3].replace("\\n", "\n")).signatures[-1]
    OutsideFile(beside(scene.anchor)).append(Vouched(with_line(scene.notes()[2], line)))


@attack
def put_in_its_mouth(scene: Scene) -> None:
    """Let the witness vouch for a checkpoint that the log never signed."""
    root = bytes(32)
    forged = checkpoint.issue(checkpoint.Checkpoint(scene.origin, 3, root), checkpoint.LogKeys(stranger()), 0)
    _say(scene, forged)


def _say(scene: Scene, note: str) -> None:
    line = cosign(checkpoint.parse_unverified(note)[0], _NAME, stranger(_WITNESS), _SEEN)
    OutsideFile(beside(scene.anchor)).append(Vouched(with_line(note, line)))
