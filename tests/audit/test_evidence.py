# SPDX-License-Identifier: Apache-2.0
"""What a witness saw is a claim of the verification: it holds for this history, and for no other and no longer one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radiomicnet_md_audit import checkpoint, merkle, note, sign
from radiomicnet_md_audit.checkpoint import Checkpoint, LogKeys
from radiomicnet_md_audit.cosignature import cosign, with_line
from radiomicnet_md_audit.evidence import WITNESSED, Evidence
from radiomicnet_md_audit.keychange import Role
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.policy import Policy, Span
from radiomicnet_md_audit.stored import verify_ledger
from radiomicnet_md_audit.testimony import Vouched
from radiomicnet_md_audit.verify import Claim
from tests.audit.sites import Site
from tests.audit.trees import LOG, NAME, ORIGIN, STRANGER, WITNESS
from tests.audit.witnessed import ONE, SEEN, Witnessed, claim, codes, cosigned

pytestmark = pytest.mark.verifies("SRS-LOG-016")


# --------------------------------------------------------------------------------------------- what holds


def test_the_newest_cosigned_checkpoint_is_told(seen: Witnessed) -> None:
    seen.say(cosigned(seen.note(5), seconds=SEEN + 60), cosigned(seen.note(2)), cosigned(seen.note(5), seconds=SEEN))
    report = seen.report()
    assert report.ok
    assert claim(report) == Claim(
        WITNESSED, ok=True, text=f"On 2026-09-21T14:14:20Z {NAME} saw 5 entries of 6, in this history."
    )


def test_with_nobody_to_believe_or_nothing_said_the_claim_is_open(seen: Witnessed) -> None:
    assert claim(seen.report()).text == "No checkpoint is cosigned by a witness whom the policy names."
    seen.say(cosigned(seen.note(3)))
    with Ledger.open(seen.url, None, None, seen.anchor, policy=Site.policy.fget(seen)) as ledger:  # type: ignore[attr-defined]
        nobody = verify_ledger(ledger, None)
    assert nobody.ok
    assert claim(nobody).ok is None
    assert claim(nobody).text.startswith("The policy names no witness. ")
    with Ledger.open(seen.url, None, None, seen.anchor) as ledger:
        assert claim(verify_ledger(ledger, None)).ok is None


def test_others_are_counted_and_do_not_count(seen: Witnessed) -> None:
    seen.say(cosigned(seen.note(3), STRANGER), cosigned(seen.note(4), name="other"), seen.note(2))
    report = seen.report()
    assert report.ok
    assert claim(report).ok is None
    assert claim(report).text.endswith(" Checkpoints that nobody named vouches for agree: 3, up to 4.")
    assert claim(seen.report(seen.outside.read())) == claim(report)  # a copy says nothing more


def test_the_log_may_go_on_and_a_crash_may_leave_half_a_line(seen: Witnessed) -> None:
    seen.say(cosigned(seen.note(6)))
    with seen.outside.path.open("ab") as file:
        file.write(Vouched(cosigned(seen.note(5))).line()[:-20])
    with seen.open() as ledger:
        seen.append(ledger, 2)
    assert claim(seen.report()).text.endswith("saw 6 entries of 8, in this history.")


def test_one_of_the_logs_signatures_is_enough(tmp_path: Path) -> None:
    """A witness may keep only the one that it relies on."""
    site = Witnessed(tmp_path, cosigner=sign.generate_cosigner())
    with site.create() as ledger:
        site.append(ledger)
    parsed = note.parse(site.note(2))
    site.say(cosigned(str(note.Note(parsed.text, parsed.signatures[:1]))))
    assert claim(site.report()).ok is True


def test_statements_count_by_the_keys_of_their_size(seen: Witnessed) -> None:
    """A witness has seen the log before and after its key was changed."""
    seen.say(cosigned(seen.note(6)))
    with seen.open() as ledger:
        ledger.change_key(Role.LOG, other := sign.from_seed(bytes([41]) * 32), 4)
        seen.append(ledger, 2)
        seen.changed = ledger.declared
    seen.log = other
    seen.say(cosigned(seen.note(9)))
    report = seen.report()
    assert report.ok
    assert claim(report).text.endswith("saw 9 entries of 9, in this history.")
    stolen = checkpoint.issue(
        checkpoint.parse_unverified(seen.note(8))[0], LogKeys(sign.from_seed(bytes([12]) * 32)), 0
    )
    seen.say(cosigned(stolen))
    assert codes(seen.report()) == {"E-CHECKPOINT-UNSIGNED"}


# ------------------------------------------------------------------------------------- what does not verify


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new, 1)


FORGED: dict[str, tuple[str, Callable[[Witnessed], str]]] = {
    "a time of its own": (
        "E-SIGNATURE",
        lambda one: with_line(
            one.note(3),
            note.Signature(
                NAME, ONE.id, bytes(8) + cosign(Checkpoint("x", 1, bytes(32)), NAME, WITNESS, 5).signature[8:]
            ),
        ),
    ),
    "lifted from another size": (
        "E-SIGNATURE",
        lambda one: with_line(one.note(3), note.parse(cosigned(one.note(4))).signatures[-1]),
    ),
    "cut short": (
        "E-COSIGNATURE-FORM",
        lambda one: with_line(one.note(3), note.Signature(NAME, ONE.id, bytes(71))),
    ),
    "beyond every calendar": ("E-COSIGNATURE-FORM", lambda one: cosigned(one.note(3), seconds=2**62)),
    "of another log": (
        "E-ORIGIN",
        lambda one: cosigned(checkpoint.issue(Checkpoint("example.org/other", 3, bytes(32)), LogKeys(one.log), 0)),
    ),
    "not signed by the log": (
        "E-CHECKPOINT-UNSIGNED",
        lambda one: cosigned(checkpoint.issue(Checkpoint(one.origin, 3, bytes(32)), LogKeys(STRANGER), 0)),
    ),
    "badly signed by the log": (
        "E-SIGNATURE",
        lambda one: cosigned(changed(one.note(3), "\n3\n", "\n4\n")),
    ),
}


@pytest.mark.parametrize("name", FORGED)
def test_what_does_not_verify_is_a_finding_and_frames_nobody(name: str, seen: Witnessed) -> None:
    code, make = FORGED[name]
    seen.say(cosigned(seen.note(6)), make(seen))
    report = seen.report()
    assert codes(report) == {code}
    assert claim(report).ok is False
    assert all(one.ok is not False for one in report.claims if one.name != WITNESSED)


@pytest.mark.parametrize("line", [b"{}", b"\xff", b'{"checkpoint": "x"}', b'{"checkpoint":"x"}', b"", b"[" * 9999])
def test_a_line_of_another_form_is_a_finding(line: bytes, seen: Witnessed) -> None:
    seen.outside.path.write_bytes(line + b"\n" + Vouched(cosigned(seen.note(6))).line())
    report = seen.report()
    assert len(report.findings) == 1
    assert claim(report).ok is False


# -------------------------------------------------------------------------------- rollback, fork, another history


@pytest.mark.verifies("SRS-LOG-016", rc=("RC-005",))
def test_a_log_set_back_with_all_its_files_contradicts_what_was_seen(seen: Witnessed, tmp_path: Path) -> None:
    shutil.copytree(seen.folder, tmp_path / "backup")
    with seen.open() as ledger:
        seen.append(ledger, 3)
    elsewhere = Vouched(cosigned(seen.note(9))).line() + Vouched(cosigned(seen.note(8))).line()
    back = Witnessed(tmp_path / "backup")
    assert back.report().ok
    report = back.report(elsewhere)
    assert codes(report) == {"E-WITNESS-LEADS"}
    text = f"On 2026-09-21T14:13:20Z {NAME} saw 9 entries, and it has 6: the log was set back, or entries were cut off."
    assert [(one.index, one.text) for one in report.findings] == [(6, text)]
    assert [claim.ok for claim in report.claims].count(False) == 1
    with back.open() as ledger:  # it goes on in another way until it is longer than what was seen
        back.count = 50
        back.append(ledger, 5)
    assert codes(back.report(elsewhere)) == {"E-WITNESS-DIFFERS"}


def test_a_log_made_anew_with_its_own_keys_contradicts_what_was_seen(seen: Witnessed, tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    twin = Witnessed(tmp_path / "again", count=100)
    with twin.create() as ledger:
        twin.append(ledger, 9)
    assert twin.report().ok
    elsewhere = b"".join(Vouched(cosigned(seen.note(size))).line() for size in (2, 5, 6))
    report = twin.report(elsewhere)
    assert codes(report) == {"E-WITNESS-DIFFERS"}
    assert [finding.index for finding in report.findings] == [1]


def test_a_checkpoint_that_somebody_kept_is_enough_to_contradict(seen: Witnessed, tmp_path: Path) -> None:
    """On paper, in a chat: the reader is the witness, and the file is the checkpoint as it was printed."""
    kept = seen.note(6)
    agreed = seen.report(kept.encode())
    assert agreed.ok
    assert claim(agreed).ok is None
    assert claim(agreed).text.endswith("agree: 1, up to 6.")
    (tmp_path / "again").mkdir()
    twin = Witnessed(tmp_path / "again", count=100)
    with twin.create() as ledger:
        twin.append(ledger, 3)
    assert codes(twin.report(kept.encode())) == {"E-CHECKPOINT-LEADS"}
    with twin.open() as ledger:
        twin.append(ledger, 3)
    assert codes(twin.report(kept.encode())) == {"E-CHECKPOINT-DIFFERS"}


# --------------------------------------------------------------------------------------------------- a law

KEYS = LogKeys(LOG)
TRUSTED = Policy(ORIGIN, tuple((key, Span()) for key in KEYS.public(ORIGIN)), (), witnesses=(ONE,))


@given(
    st.lists(st.binary(max_size=2), max_size=12),
    st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14), st.integers(0, 99)), min_size=1, max_size=4),
)
@settings(max_examples=300)
def test_the_claim_holds_exactly_where_every_statement_is_about_this_history(
    leaves: list[bytes], statements: list[tuple[int, int, int]]
) -> None:
    """A statement is about the log's own entries, with one of them changed, or with entries after the last one."""

    def roots(entries: list[bytes]) -> list[bytes]:
        tree = merkle.Frontier()
        grown = [merkle.EMPTY_ROOT]
        for leaf in entries:
            tree.append(merkle.leaf_hash(leaf))
            grown.append(tree.root())
        return grown

    log = roots(leaves)
    evidence, true = Evidence(TRUSTED), True
    for size, changed_at, seconds in statements:
        entries = [*leaves, *(b"later" for _ in range(15))]
        entries[changed_at] += b"'" if seconds % 2 else b""
        root = roots(entries)[size]
        text = checkpoint.issue(Checkpoint(ORIGIN, size, root), KEYS, 0)
        evidence.hear(Vouched(cosigned(text, seconds=seconds)).line())
        true = true and size <= len(leaves) and root == log[size]
    for size, root in list(enumerate(log))[1:]:
        evidence.grown(size, root)
    witnessed, _ = evidence.claims(len(leaves))
    found = [finding for one in evidence.findings() for finding in one.kept]
    assert witnessed.ok is true
    assert bool(found) is not true
    assert {finding.code for finding in found} <= {"E-WITNESS-DIFFERS", "E-WITNESS-LEADS"}
