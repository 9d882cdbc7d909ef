# SPDX-License-Identifier: Apache-2.0
"""Whatever is submitted and whenever it is killed, the witness signs one history, and answers as specified."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from radiomicnet_md_audit import disk, note
from radiomicnet_md_audit import witness as module
from radiomicnet_md_audit.checkpoint import Checkpoint
from radiomicnet_md_audit.cosignature import cosigned_at, with_line
from radiomicnet_md_audit.errors import IntegrityError
from tests.audit.trees import ORIGIN, STRANGER, Tree, at, leaves, submission, witness

pytestmark = pytest.mark.verifies("SRS-LOG-011")

REFUSALS = {400, 403, 404, 409, 422}
REPLACE = Path.replace
KILLS = ("half written", "before sync", "before rename", "after rename", "before answer")


class KilledError(BaseException):
    """The process ends here: no handler of the product catches it."""


class Dying:
    """The module ``os`` as a process sees it that is killed at one point of writing its state."""

    def __init__(self, point: str) -> None:
        self.point = point
        self.syncs = 0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401, D105 -- whatever the real module has
        return getattr(os, name)

    def fdopen(self, handle: int, mode: str) -> Any:  # noqa: ANN401 -- a file, or something like one
        file = os.fdopen(handle, mode)
        if self.point != "half written":
            return file
        half = mock.MagicMock(wraps=file)
        half.__enter__.return_value = half

        def write(data: bytes) -> None:
            file.write(data[: len(data) // 2])
            file.close()
            raise KilledError

        half.write.side_effect = write
        return half

    def fsync(self, handle: int) -> None:
        self.syncs += 1
        if self.point == "before sync":
            raise KilledError
        os.fsync(handle)
        if self.syncs == 2 and self.point == "before answer":
            raise KilledError

    def renamer(self) -> Callable[[Path, Path], None]:
        def replace(source: Path, target: Path) -> None:
            if self.point == "before rename":
                raise KilledError
            REPLACE(source, target)
            if self.point == "after rename":
                raise KilledError

        return replace


class WitnessMachine(RuleBasedStateMachine):
    """A model that knows the entries themselves, beside a witness that sees roots and hashes only."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.entries: list[bytes] = []  # of the last state that the witness wrote
        self.written_at = 0
        self.now = 1_000
        self.cosigned: list[tuple[list[bytes], int]] = []
        self.restart()

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @rule()
    def restart(self) -> None:
        """A new process over the same folder, or a second one beside the first."""
        self.witness = witness(self.folder)
        object.__setattr__(self.witness, "clock", lambda: at(self.now))

    @rule(by=st.integers(-3, 5))
    def time_passes(self, by: int) -> None:
        self.now += by

    @rule(
        kept=st.integers(0, 12),
        added=st.integers(0, 5),
        fork=st.none() | st.integers(0, 12),
        old=st.none() | st.integers(0, 14),
        spoil=st.sampled_from([None] * 4 + ["drop", "flip", "add"]),
        kill=st.sampled_from([None] * 4 + list(KILLS)),
    )
    def submit(  # noqa: PLR0913 -- what a submission can have of its own
        self, kept: int, added: int, fork: int | None, old: int | None, spoil: str | None, kill: str | None
    ) -> None:
        """Go on from the state, from an older one (``kept``), or from another history (``fork``)."""
        submitted = leaves(min(kept, len(self.entries)) + added)
        if old is None:  # the honest way to ask, and most often an honest log
            submitted, old = leaves(len(self.entries) + added), len(self.entries)
        for index in range(len(self.entries)):  # the witness may follow the twin; go on with whom it follows
            if index < len(submitted):
                submitted[index] = self.entries[index]
        if fork is not None and fork < len(submitted):
            submitted[fork] += b"'"
        tree = Tree(submitted)
        path = spoiled(tree.path(old), spoil)
        proves = path == tree.path(old)
        self.expect(self.status(submitted, old, proves=proves), submission(old, path, tree.note()), submitted, kill)

    def status(self, submitted: list[bytes], old: int, *, proves: bool) -> int:
        """What the specification answers, told from the entries themselves."""
        if old > len(submitted):
            return 400
        if old != len(self.entries):
            return 409
        if old == len(submitted) and proves and submitted != self.entries:
            return 409
        return 200 if proves and submitted[:old] == self.entries else 422

    def expect(self, status: int, body: bytes, submitted: list[bytes], kill: str | None) -> None:
        if status != HTTPStatus.OK:
            answer = self.witness.add_checkpoint(body)
            assert answer.status == status
            if status == HTTPStatus.CONFLICT:
                assert (answer.content_type, answer.body) == ("text/x.tlog.size", f"{len(self.entries)}\n")
        elif self.now < self.written_at:
            with pytest.raises(IntegrityError) as caught:
                self.witness.add_checkpoint(body)
            assert caught.value.code == "E-WITNESS-CLOCK"
        elif kill is None:
            answer = self.witness.add_checkpoint(body)
            assert answer.status == HTTPStatus.OK
            self.entries, self.written_at = submitted, self.now
            self.accept(answer.body)
        else:
            dying = Dying(kill)
            renamer = mock.patch.object(Path, "replace", dying.renamer())
            system = (mock.patch.object(part, "os", dying) for part in (module, disk))
            with next(system), next(system), renamer, pytest.raises(KilledError):
                self.witness.add_checkpoint(body)
            if kill in {"after rename", "before answer"}:
                self.entries, self.written_at = submitted, self.now
            self.restart()

    def accept(self, body: str) -> None:
        (line,) = note.parse(f"-\n\n{body}").signatures
        assert cosigned_at(with_line(Tree(self.entries).note(), line), self.witness.cosigner) == self.now
        self.cosigned.append((self.entries, self.now))

    @rule(data=st.data())
    def garble(self, data: st.DataObject) -> None:
        """One changed byte anywhere in what would have been cosigned."""
        tree = Tree([*self.entries, b"next"])
        body = bytearray(submission(len(self.entries), tree.path(len(self.entries)), tree.note()))
        body[data.draw(st.integers(0, len(body) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        assert self.witness.add_checkpoint(bytes(body)).status in REFUSALS

    @rule()
    def stranger(self) -> None:
        tree = Tree([*self.entries, b"next"])
        path = tree.path(len(self.entries))
        for origin, key, status in ((ORIGIN, STRANGER, 403), ("example.org/other", STRANGER, 404)):
            body = submission(len(self.entries), path, tree.note(origin, key))
            assert self.witness.add_checkpoint(body).status == status

    @invariant()
    def one_history_forward(self) -> None:
        """Each cosigned state begins with the one before it, and the times never fall."""
        for (before, then), (after, later) in zip(self.cosigned, self.cosigned[1:], strict=False):
            assert after[: len(before)] == before
            assert later >= then

    @invariant()
    def the_state_is_the_last_one(self) -> None:
        tree = Tree(self.entries)
        assert self.witness.last(ORIGIN) == (Checkpoint(ORIGIN, tree.size, tree.root), self.written_at)


def spoiled(path: list[bytes], how: str | None) -> list[bytes]:
    if how == "add":
        return [*path, bytes(32)]
    if how == "drop":
        return path[:-1]
    if how == "flip" and path:
        return [bytes([path[0][0] ^ 1]) + path[0][1:], *path[1:]]
    return path


TestWitnessMachine = WitnessMachine.TestCase
TestWitnessMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
