# SPDX-License-Identifier: Apache-2.0
"""What a witness signs, what it remembers, and what it does when its memory, its clock or its turn is in doubt."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import pytest

from radiomicnet_md_audit import checkpoint, note, proof, sign
from radiomicnet_md_audit import witness as module
from radiomicnet_md_audit.checkpoint import Checkpoint, LogKeys
from radiomicnet_md_audit.cosignature import Cosigner, cosign, cosigned_at, with_line
from radiomicnet_md_audit.errors import BusyError, ConfigurationError, IntegrityError
from radiomicnet_md_audit.note import Note, NoteKey, Signature
from radiomicnet_md_audit.witness import LARGEST_REQUEST, Witness
from tests.audit.sites import Site
from tests.audit.trees import LOG, NAME, ORIGIN, STRANGER, WITNESS, Tree, honest, leaves, submission, witness

pytestmark = pytest.mark.verifies("SRS-LOG-011")

HEAD = Checkpoint(ORIGIN, 7, bytes(range(32)))
COSIGNER = Cosigner(NAME, WITNESS.public)
NOTE = checkpoint.issue(HEAD, LogKeys(LOG), 0)

# One process of a race: go on from whatever size the witness names, by steps of its own; say what was cosigned.
RACER = """
import json, sys
from pathlib import Path
from tests.audit.trees import honest, leaves, witness
step, state = int(sys.argv[1]), Path(sys.argv[2])
one, old, taken = witness(state), 0, []
for _ in range(40):
    answer = one.add_checkpoint(honest(leaves(old + step), old))
    if answer.status == 200:
        taken.append([old, old + step])
        old += step
    else:
        old = int(answer.body)
print(json.dumps(taken))
"""


def codes(caught: pytest.ExceptionInfo[IntegrityError]) -> str:
    return caught.value.code


# ------------------------------------------------------------------------------------------- cosignatures


def test_the_cosigned_bytes_are_those_of_tlog_cosignature() -> None:
    line = cosign(HEAD, NAME, WITNESS, 1_679_315_147)
    assert line.signature[:8] == (1_679_315_147).to_bytes(8, "big")
    message = b"cosignature/v1\ntime 1679315147\n" + str(HEAD).encode()
    WITNESS.public.verify(line.signature[8:], message)
    assert with_line(NOTE, line) == f"{NOTE}{line}\n"


def test_the_published_example_has_this_form() -> None:
    """That of c2sp.org/tlog-cosignature, whose key is not published; Go verifies ours below."""
    line = note.parse(
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5n"
        "No0xUe+mbIUBkBIfZ+qnA==\n"
    ).signatures[0]
    assert len(line.signature) == 72
    assert int.from_bytes(line.signature[:8], "big") == 1_679_315_147


def test_the_latest_of_its_lines_tells_the_time() -> None:
    twice = with_line(with_line(NOTE, cosign(HEAD, NAME, WITNESS, 9)), cosign(HEAD, NAME, WITNESS, 5))
    assert cosigned_at(twice, COSIGNER) == 9


def test_no_line_or_a_bad_line_is_refused() -> None:
    good = cosign(HEAD, NAME, WITNESS, 5)
    other = Checkpoint(ORIGIN, 8, HEAD.root)
    cases = {
        "E-COSIGNATURE-MISSING": [cosign(HEAD, "other", WITNESS, 5), cosign(HEAD, NAME, STRANGER, 5)],
        "E-COSIGNATURE-FORM": [
            Signature(NAME, COSIGNER.id, good.signature[:-1]),
            Signature(NAME, COSIGNER.id, b"\xff" + good.signature[1:]),
        ],
        "E-SIGNATURE": [
            cosign(other, NAME, WITNESS, 5),
            Signature(NAME, COSIGNER.id, bytes(8) + good.signature[8:]),
        ],
    }
    for code, lines in cases.items():
        for line in lines:
            with pytest.raises(IntegrityError) as caught:
                cosigned_at(with_line(NOTE, line), COSIGNER)
            assert codes(caught) == code
    with pytest.raises(IntegrityError):
        cosigned_at(with_line(with_line(NOTE, good), cosign(other, NAME, WITNESS, 5)), COSIGNER)


def test_every_change_of_a_cosigned_note_is_refused() -> None:
    data = with_line(NOTE, cosign(HEAD, NAME, WITNESS, 5)).encode()
    start = data.index(NAME.encode()) - 4
    for place in range(start, len(data)):
        for bit in (0x01, 0x20, 0x80):
            changed = bytearray(data)
            changed[place] ^= bit
            with pytest.raises((IntegrityError, UnicodeDecodeError)):
                cosigned_at(changed.decode(), COSIGNER)


def test_a_witness_key_has_one_form_and_is_no_log_key() -> None:
    text = COSIGNER.vkey()
    assert Cosigner.from_vkey(text) == COSIGNER
    name, identity, material = text.split("+", 2)
    for broken in (
        f"{name}+00000000+{material}",
        f"other+{identity}+{material}",
        f"{name}+{identity}+{material[:-4]}",
        f"na me+{identity}+{material}",
        NoteKey(NAME, WITNESS.public).vkey(),
        "",
    ):
        with pytest.raises(IntegrityError):
            Cosigner.from_vkey(broken)
    with pytest.raises(IntegrityError):
        NoteKey.from_vkey(text)


# ------------------------------------------------------------------------------------------ what is asked


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 0\n",
        b"\xff\xfe",
        honest(leaves(3), 0).replace(b"old 0", b"old 00"),
        honest(leaves(3), 0).replace(b"old 0", b"old -1"),
        honest(leaves(3), 0).replace(b"old 0", b"Old 0"),
        honest(leaves(3), 0).replace(b"\n", b"\r\n"),
        honest(leaves(3), 0).removesuffix(b"\n"),
        honest(leaves(3), 0).replace(b"old 0\n", b"old 0\nAAAA\n"),
        honest(leaves(3), 0).replace(b"\n3\n", b"\n03\n"),
        submission(0, [bytes(32)] * 64, Tree(leaves(3)).note()),
        submission(4, [], Tree(leaves(3)).note()),
    ],
)
def test_a_malformed_request_is_400(body: bytes, tmp_path: Path) -> None:
    assert witness(tmp_path).add_checkpoint(body).status == HTTPStatus.BAD_REQUEST
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".checkpoint"]


def test_the_largest_proof_and_note_fit_into_a_request() -> None:
    filler = "— other MTIzNHg=\n" * 15
    text = Tree(leaves(3)).note() + filler
    assert (
        len(submission(2**62, [bytes(32)] * proof.MOST_HASHES, text)) - len(text) + note.LARGEST_NOTE < LARGEST_REQUEST
    )


def test_unknown_lines_are_passed_over_and_not_kept(tmp_path: Path) -> None:
    tree = Tree(leaves(3))
    noise = [Signature(f"other{index}", b"1234", b"x") for index in range(15)]
    parsed = note.parse(tree.note())
    text = str(Note(parsed.text, (*noise, *parsed.signatures)))
    one = witness(tmp_path)
    assert one.add_checkpoint(submission(0, [], text)).status == HTTPStatus.OK
    (state,) = tmp_path.glob("*.checkpoint")
    kept = note.parse(state.read_text("utf-8"))
    assert [line.name for line in kept.signatures] == [ORIGIN, NAME]
    assert checkpoint.open_(state.read_text("utf-8"), LogKeys(LOG).public(ORIGIN), ORIGIN).size == 3


def test_a_bad_line_by_a_trusted_key_refuses_the_whole_note(tmp_path: Path) -> None:
    parsed = note.parse(Tree(leaves(3)).note())
    bad = Signature(ORIGIN, parsed.signatures[0].id, bytes(64))
    text = str(Note(parsed.text, (*parsed.signatures, bad)))
    assert witness(tmp_path).add_checkpoint(submission(0, [], text)).status == HTTPStatus.FORBIDDEN
    stranger = NoteKey(ORIGIN, STRANGER.public)
    two = Witness(NAME, WITNESS, {ORIGIN: [*LogKeys(LOG).public(ORIGIN), stranger]}, tmp_path)
    text = str(Note(parsed.text, (*parsed.signatures, Signature(ORIGIN, stranger.id, bytes(64)))))
    assert two.add_checkpoint(submission(0, [], text)).status == HTTPStatus.FORBIDDEN


def test_one_of_several_trusted_keys_is_enough(tmp_path: Path) -> None:
    keys = [NoteKey(ORIGIN, STRANGER.public), *LogKeys(LOG).public(ORIGIN)]
    one = Witness(NAME, WITNESS, {ORIGIN: keys}, tmp_path)
    assert one.add_checkpoint(honest(leaves(3), 0)).status == HTTPStatus.OK
    nobody = Witness(NAME, WITNESS, {ORIGIN: []}, tmp_path)
    assert nobody.add_checkpoint(honest(leaves(4), 3)).status == HTTPStatus.FORBIDDEN


def test_the_empty_log_has_one_root(tmp_path: Path) -> None:
    one = witness(tmp_path)
    wrong = checkpoint.issue(Checkpoint(ORIGIN, 0, bytes(32)), LogKeys(LOG), 0)
    assert one.add_checkpoint(submission(0, [], wrong)).status == HTTPStatus.CONFLICT
    assert one.add_checkpoint(honest([], 0)).status == HTTPStatus.OK
    assert one.add_checkpoint(honest(leaves(2), 0)).status == HTTPStatus.OK


def test_logs_do_not_share_a_state(tmp_path: Path) -> None:
    other = "example.org/../other"
    keys = {origin: LogKeys(LOG).public(origin) for origin in (ORIGIN, other)}
    one = Witness(NAME, WITNESS, keys, tmp_path)
    assert one.add_checkpoint(honest(leaves(9), 0)).status == HTTPStatus.OK
    assert one.last(other)[0].size == 0
    assert one.add_checkpoint(submission(0, [], Tree(leaves(2)).note(other))).status == HTTPStatus.OK
    assert (one.last(ORIGIN)[0].size, one.last(other)[0].size) == (9, 2)
    assert {path.parent for path in tmp_path.rglob("*")} == {tmp_path}


# ------------------------------------------------------------------------------------------ what is remembered


def test_a_state_that_the_witness_did_not_write_is_refused(tmp_path: Path) -> None:
    one = witness(tmp_path)
    one.add_checkpoint(honest(leaves(5), 0))
    (state,) = tmp_path.glob("*.checkpoint")
    good = state.read_bytes()
    parsed = note.parse(good.decode())
    swapped = checkpoint.issue(Checkpoint("other", 5, bytes(32)), LogKeys(LOG), 0)
    others = [
        b"",
        good[: len(good) // 2],
        b"\xff" + good[1:],
        str(Note(parsed.text, parsed.signatures[:1])).encode(),
        good.replace(b"\n5\n", b"\n4\n"),
        with_line(swapped, cosign(Checkpoint("other", 5, bytes(32)), NAME, WITNESS, 5)).encode(),
    ]
    for other in others:
        state.write_bytes(other)
        with pytest.raises(IntegrityError) as caught:
            one.add_checkpoint(honest(leaves(6), 5))
        assert codes(caught) == "E-WITNESS-STATE"
        assert state.read_bytes() == other
    state.write_bytes(good)
    assert one.add_checkpoint(honest(leaves(6), 5)).status == HTTPStatus.OK


def test_a_clock_that_was_set_back_stops_the_witness(tmp_path: Path) -> None:
    assert witness(tmp_path, 1_000).add_checkpoint(honest(leaves(5), 0)).status == HTTPStatus.OK
    with pytest.raises(IntegrityError) as caught:
        witness(tmp_path, 999).add_checkpoint(honest(leaves(6), 5))
    assert codes(caught) == "E-WITNESS-CLOCK"
    assert witness(tmp_path, 1_000).add_checkpoint(honest(leaves(6), 5)).status == HTTPStatus.OK


def test_without_a_writable_state_nothing_is_cosigned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError) as caught:
        witness(tmp_path / "absent").add_checkpoint(honest(leaves(5), 0))
    assert caught.value.code == "E-WITNESS-WRITE"

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(ConfigurationError) as caught:
        witness(tmp_path).add_checkpoint(honest(leaves(5), 0))
    assert caught.value.code == "E-WITNESS-WRITE"
    assert witness(tmp_path).last(ORIGIN)[0].size == 0


def test_a_held_state_makes_the_next_wait_and_then_give_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOCK_SECONDS", 0.1)
    one = witness(tmp_path)
    one.add_checkpoint(honest(leaves(1), 0))
    (lock,) = tmp_path.glob("*.lock")
    handle = os.open(lock, os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(BusyError):
        one.add_checkpoint(honest(leaves(2), 1))
    os.close(handle)
    assert one.add_checkpoint(honest(leaves(2), 1)).status == HTTPStatus.OK


def test_two_processes_make_one_chain(tmp_path: Path, root: Path) -> None:
    """Every step begins where another ended: none is lost, none is taken twice."""
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", RACER]
    racers = [
        subprocess.Popen([*command, step, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=root, env=environment)
        for step in ("1", "2")
    ]
    steps = sorted(step for racer in racers for step in json.loads(racer.communicate(timeout=120)[0]))
    assert [racer.returncode for racer in racers] == [0, 0]
    assert steps[0][0] == 0
    assert all(before[1] == after[0] for before, after in itertools.pairwise(steps))
    assert witness(tmp_path).last(ORIGIN)[0] == Checkpoint(ORIGIN, steps[-1][1], Tree(leaves(steps[-1][1])).root)


# ---------------------------------------------------------------------------------------- an independent reader

GO = """
package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"log"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// A cosigner of c2sp.org/tlog-cosignature, told apart and verified with nothing of the project under test.
type witness struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (w witness) Name() string    { return w.name }
func (w witness) KeyHash() uint32 { return w.hash }
func (w witness) Verify(msg, sig []byte) bool {
	if len(sig) != 72 {
		return false
	}
	head := fmt.Sprintf("cosignature/v1\\ntime %d\\n", binary.BigEndian.Uint64(sig))
	return ed25519.Verify(w.key, append([]byte(head), msg...), sig[8:])
}

// usage: open LOG_VKEY WITNESS_VKEY|- FILE
func main() {
	verifier, err := note.NewVerifier(os.Args[1])
	check(err)
	known := []note.Verifier{verifier}
	if os.Args[2] != "-" {
		parts := strings.SplitN(os.Args[2], "+", 3)
		data, err := base64.StdEncoding.DecodeString(parts[2])
		check(err)
		sum := sha256.Sum256(append([]byte(parts[0]+"\\n"), data...))
		known = append(known, witness{parts[0], binary.BigEndian.Uint32(sum[:]), data[1:]})
	}
	text, err := os.ReadFile(os.Args[3])
	check(err)
	opened, err := note.Open(text, note.VerifierList(known...))
	check(err)
	fmt.Println(len(opened.Sigs), len(opened.UnverifiedSigs))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
"""


def test_go_opens_a_cosigned_checkpoint(tmp_path: Path, site: Site, require: Callable[[str], Path]) -> None:
    """Go's ``sumdb/note`` passes over the witness's line, and verifies it when told how a cosignature is made."""
    go = require("go")
    require("go-sumdb")
    (tmp_path / "open.go").write_text(GO, encoding="utf-8")
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "", "GOPROXY": "off"}
    environment["GOCACHE"] = os.environ.get("GOCACHE", str(Path.home() / ".cache" / "go-build"))
    subprocess.run([str(go), "build", "-o", "open", "open.go"], cwd=tmp_path, env=environment, check=True)
    key = sign.generate()
    log = LogKeys(site.log).public(site.origin)
    one = Witness(NAME, key, {site.origin: log}, tmp_path)
    with site.read() as ledger:
        answer = one.add_checkpoint(ledger.consistency(0).encode())
        text = ledger.latest_checkpoint()
    (line,) = note.parse(f"-\n\n{answer.body}").signatures
    file = tmp_path / "cosigned"

    def opened(text: str, witness: str) -> str:
        file.write_text(text, encoding="utf-8")
        command = [tmp_path / "open", log[0].vkey(), witness, file]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    assert opened(with_line(text, line), "-") == "1 1\n"
    assert opened(with_line(text, line), one.cosigner.vkey()) == "2 0\n"
    moved = Signature(line.name, line.id, bytes(8) + line.signature[8:])
    assert opened(with_line(text, moved), one.cosigner.vkey()) == ""
