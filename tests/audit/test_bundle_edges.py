# SPDX-License-Identifier: Apache-2.0
"""Each file of an export is held to what it is there for, whoever sealed it, and each lie has its own finding."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from radiomicnet_md_audit import bundle, canonical, checkpoint, dsse, sign
from radiomicnet_md_audit.bundle import COMPLETE, BundleError, verify_bundle
from radiomicnet_md_audit.checkpoint import LogKeys
from radiomicnet_md_audit.errors import ExitCode, IntegrityError
from radiomicnet_md_audit.policy import Policy, Span
from radiomicnet_md_audit.verify import STRUCTURE
from tests.audit.small_exports import (
    ARTEFACT,
    CREATED,
    FILES,
    HONEST_MANIFEST,
    MASK,
    OLD_FILES,
    PEM,
    SIZE,
    TILE,
    TREE,
    changed,
    inclusion,
    lay,
    sealed,
)
from tests.audit.small_logs import ANCHOR, ENGINE, HONEST, KEYS, LINES, ORIGIN, PAIRS, POLICY, STRANGER, log

pytestmark = pytest.mark.verifies("SRS-LOG-004", "SRS-LOG-009")


def found(folder: Path, policy: Policy = POLICY, anchor: bytes | None = None) -> list[tuple[int | None, str]]:
    report = verify_bundle(folder, policy, anchor)
    assert report.ok is not bool(report.findings)
    assert report.claims[3].name == COMPLETE
    return [(finding.index, finding.code) for finding in report.findings]


def test_an_honest_export_is_complete(tmp_path: Path) -> None:
    folder = lay(tmp_path / "export", sealed(FILES), FILES)
    report = verify_bundle(folder, POLICY, ANCHOR[: sum(map(len, LINES[:SIZE]))])
    assert (report.findings, [claim.ok for claim in report.claims]) == ((), [True, True, True, True, None, None])
    assert (report.size, report.root) == (SIZE, TREE.root().hex())
    unsigned = verify_bundle(folder, POLICY, signatures=False)
    assert [claim.ok for claim in unsigned.claims[:5]] == [True, None, None, None, True]
    assert unsigned.claims[0].name == STRUCTURE


def test_a_policy_may_name_a_cosigner(tmp_path: Path) -> None:
    both = LogKeys(KEYS.signer, sign.cosigner_from_seed(bytes([9]) * 32))
    policy = replace(POLICY, log_keys=tuple((key, Span()) for key in both.public(ORIGIN)))
    folder = lay(tmp_path / "export", sealed(FILES), FILES)
    codes = {code for _, code in found(folder, policy)}
    assert codes == {"E-CHECKPOINT-UNSIGNED"}  # the manifest is signed by the one, the checkpoints lack the other


@pytest.mark.parametrize(("place", "code"), [("none", "E-BUNDLE-MISSING"), ("file", "E-BUNDLE-PACKED")])
def test_there_must_be_a_folder(tmp_path: Path, place: str, code: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BundleError) as caught:
        verify_bundle(tmp_path / place, POLICY)
    assert (caught.value.code, caught.value.exit_code) == (code, ExitCode.USAGE)


# ------------------------------------------------------------------------------------------- the manifest


def test_a_manifest_says_what_was_written() -> None:
    assert bundle.parse_manifest(HONEST_MANIFEST.payload()) == HONEST_MANIFEST
    assert canonical.loads(HONEST_MANIFEST.payload()) == DOCUMENT


DOCUMENT = {
    "format": "radiomicnet-md-export/2",
    "origin": ORIGIN,
    "size": SIZE,
    "root": TREE.root().hex(),
    "created": CREATED,
    "files": {path: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} for path, data in FILES.items()},
}


@pytest.mark.parametrize(
    "document",
    [
        *({key: value for key, value in DOCUMENT.items() if key != missing} for missing in DOCUMENT),
        *({**DOCUMENT, key: other} for key in DOCUMENT for other in (None, [], 5 if key != "size" else "5")),
        {**DOCUMENT, "more": 1},
        {**DOCUMENT, "format": "radiomicnet-md-export/3"},
        {**DOCUMENT, "size": True},
        {**DOCUMENT, "files": {"manifest.json": {"sha256": "0" * 64, "size": 1}}},
        *({**DOCUMENT, "files": {path: {"sha256": "0" * 64, "size": 1}}} for path in ("", "/a", "a/", "a//b", "../a")),
        *(
            {**DOCUMENT, "files": {"a": item}}
            for item in (
                None,
                {},
                {"sha256": "0" * 64},
                {"sha256": 5, "size": 1},
                {"sha256": "0" * 64, "size": "1"},
                {"sha256": "0" * 64, "size": True},
                {"sha256": "0" * 64, "size": 1, "more": 1},
            )
        ),
    ],
)
def test_another_form_of_manifest_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(IntegrityError) as caught:
        bundle.parse_manifest(canonical.dumps(document))
    assert caught.value.code == "E-MANIFEST"


@pytest.mark.parametrize(
    ("manifest", "policy", "code"),
    [
        (sealed(FILES, STRANGER), POLICY, "E-KEY-UNKNOWN"),
        (sealed(FILES, ENGINE), POLICY, "E-KEY-UNKNOWN"),
        (sealed(FILES), replace(POLICY, log_keys=((POLICY.log_keys[0][0], Span(1, SIZE)),)), "E-KEY-UNKNOWN"),
        (dsse.seal(HONEST_MANIFEST.payload(), dsse.STATEMENT_TYPE, KEYS.signer), POLICY, "E-ENVELOPE-TYPE"),
        (dsse.seal(b"{}", bundle.MANIFEST_TYPE, KEYS.signer), POLICY, "E-MANIFEST"),
        (b"{}", POLICY, "E-ENVELOPE-FORM"),
    ],
)
def test_a_manifest_that_is_not_by_the_log_key_ends_the_reading(
    tmp_path: Path, manifest: bytes, policy: Policy, code: str
) -> None:
    assert found(lay(tmp_path / "export", manifest, FILES), policy) == [(None, "E-LOG-EMPTY"), (None, code)]


# ---------------------------------------------------------------------------------------- what it lists


LAST = FILES["entries.jsonl"].splitlines(keepends=True)[-1]
NOTE = FILES["checkpoints.jsonl"].splitlines(keepends=True)[-1]
NEXT = log(HONEST)[SIZE]
PROOF = bundle.proof_path(1)
LEAVES = FILES[TILE]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (changed(**{"policy.json": b"{}"}), [(None, "E-BUNDLE-CHANGED")]),
        (changed(**{"VERIFY.md": b"How to"}), [(None, "E-BUNDLE-CHANGED")]),
        (changed(**{"VERIFY.md": None}), [(None, "E-BUNDLE-MISSING-FILE")] * 2),
        (changed(more=b""), [(None, "E-BUNDLE-UNLISTED")]),
        (changed(**{"outside.jsonl": b""}), [(None, "E-BUNDLE-UNLISTED")]),
        (changed(**{"deep/more": b""}), [(None, "E-BUNDLE-UNLISTED")] * 2),
        (changed(**{"entries.jsonl": FILES["entries.jsonl"][:-1]}),
         [(None, "E-BUNDLE-LINE"), (None, "E-BUNDLE-CHANGED")]),
        (changed(**{"checkpoints.jsonl": FILES["checkpoints.jsonl"] + b"x"}),
         [(None, "E-BUNDLE-LINE"), (None, "E-BUNDLE-CHANGED"), (None, "E-BUNDLE-SIZE")]),
        (changed(**{"entries.jsonl": FILES["entries.jsonl"] + LAST}),
         [(None, "E-BUNDLE-CHANGED"), (None, "E-BUNDLE-SIZE")]),
    ],
)  # fmt: skip
def test_what_differs_from_the_manifest_is_found(
    tmp_path: Path, files: dict[str, bytes], expected: list[tuple[int | None, str]]
) -> None:
    assert found(lay(tmp_path / "export", sealed(FILES), files)) == expected


@pytest.mark.parametrize(
    ("files", "manifest", "expected"),
    [
        (changed(**{ARTEFACT: b"Mask"}), {}, [(None, "E-BUNDLE-ARTEFACT")]),
        (changed(**{f"artefacts/zz/{MASK}": b"Mask"}), {}, []),  # not at its place: nothing is said about it
        (changed(**{PEM: STRANGER.public.to_pem()}), {}, [(None, "E-BUNDLE-KEY")]),
        (changed(**{PEM: b"no key"}), {}, [(None, "E-BUNDLE-KEY")]),
        (changed(checkpoint=PAIRS[2][1].encode()), {}, [(None, "E-BUNDLE-CHECKPOINT")]),
        (changed(**{TILE: LEAVES[32:64] + LEAVES[:32] + LEAVES[64:]}), {}, [(None, "E-BUNDLE-TILE")]),
        (changed(**{TILE: LEAVES[:-1]}), {}, [(None, "E-BUNDLE-TILE")]),
        (changed(**{TILE: LEAVES + LEAVES[:32]}), {}, [(None, "E-BUNDLE-TILE")]),
        (changed(**{TILE: None}), {}, [(None, "E-BUNDLE-TILES")]),
        (changed(**{TILE: None, "tile/0/000.p/3": LEAVES[:96]}), {}, [(None, "E-BUNDLE-TILES")]),
        (changed(**{"tile/0/000": LEAVES}), {}, [(None, "E-BUNDLE-TILES")]),
        (changed(**{"tile/1/000.p/1": LEAVES[:32]}), {}, [(None, "E-BUNDLE-TILES")]),
        (changed(**{"entries.jsonl": FILES["entries.jsonl"] + NEXT[0] + b"\n"}), {}, [(None, "E-BUNDLE-SIZE")]),
        (changed(**{"checkpoints.jsonl": FILES["checkpoints.jsonl"] + NOTE}), {}, [(None, "E-BUNDLE-SIZE")]),
        (FILES, {"size": SIZE + 1}, [(None, "E-BUNDLE-SIZE")]),
        (FILES, {"root": "0" * 64}, [(None, "E-BUNDLE-ROOT")]),
        (FILES, {"origin": "example.org/other"}, [(None, "E-ORIGIN")]),
        (changed(**{"checkpoints.jsonl": FILES["checkpoints.jsonl"] + b"{ }\n"}), {}, [(None, "E-BUNDLE-SIZE")]),
        (changed(**{"entries.jsonl": None}), {}, [(None, "E-LOG-EMPTY"), (None, "E-BUNDLE-MISSING-FILE")]),
    ],
)  # fmt: skip
@pytest.mark.verifies("SRS-LOG-004", rc=("RC-004",))
def test_a_signed_lie_is_still_a_lie(
    tmp_path: Path, files: dict[str, bytes], manifest: dict[str, object], expected: list[tuple[int | None, str]]
) -> None:
    assert found(lay(tmp_path / "export", sealed(files, **manifest), files)) == expected


def test_a_checkpoint_that_is_no_text_ends_as_a_finding(tmp_path: Path) -> None:
    for line, code in ((b"5", "E-NOTE-FORM"), (b'"\\u0041"', "E-CANONICAL-BYTES")):
        lines = FILES["checkpoints.jsonl"].splitlines(keepends=True)
        files = changed(**{"checkpoints.jsonl": b"".join((lines[0], line + b"\n", *lines[2:]))})
        assert code in {code for _, code in found(lay(tmp_path / "export", sealed(files), files))}


def test_a_line_that_is_too_long_is_found(tmp_path: Path) -> None:
    files = changed(**{"entries.jsonl": FILES["entries.jsonl"] + b"x" * bundle._LONGEST_LINE + b"\n"})
    codes = [code for _, code in found(lay(tmp_path / "export", sealed(files), files))]
    assert codes == ["E-BUNDLE-LINE", "E-BUNDLE-SIZE"]


def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = lay(tmp_path / "export", sealed(FILES), FILES)
    largest = max(len(data) for path, data in {**FILES, "m": sealed(FILES)}.items() if not path.endswith(".jsonl"))
    monkeypatch.setattr(bundle, "LARGEST_FILE_IN_MEMORY", largest)
    assert found(folder) == []
    monkeypatch.setattr(bundle, "LARGEST_FILE_IN_MEMORY", largest - 1)
    assert found(folder)[-1] == (None, "E-BUNDLE-LARGE")


CHANGES: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "a folder for a file": (lambda path: (path.unlink(), path.mkdir()), ["UNLISTED", "MISSING-FILE"]),
    "a link to its twin": (
        lambda path: (path.rename(path.parents[1] / "twin"), path.symlink_to("../twin")),
        ["UNLISTED"],
    ),
    "a link to itself": (lambda path: (path.unlink(), path.symlink_to(path.name)), ["UNLISTED", "MISSING-FILE"]),
}


@pytest.mark.parametrize("name", ["VERIFY.md", "entries.jsonl", "manifest.json"])
@pytest.mark.parametrize("change", CHANGES)
def test_what_is_no_file_is_found(tmp_path: Path, name: str, change: str) -> None:
    folder = lay(tmp_path / "export", sealed(FILES), FILES)
    CHANGES[change][0](folder / name)
    codes = {code for _, code in found(folder)}
    expected = {f"E-BUNDLE-{code}" for code in CHANGES[change][1]}
    if name == "manifest.json":  # nothing tells what else should be there
        expected -= {"E-BUNDLE-UNLISTED"}
    assert expected <= codes
    if change != "a link to its twin" or name == "manifest.json":
        assert f"The export holds no {name}." in [one.text for one in verify_bundle(folder, POLICY).findings]


def test_the_manifest_is_signed_by_the_key_of_the_next_size(tmp_path: Path) -> None:
    folder = lay(tmp_path / "export", sealed(FILES), FILES)
    for stop, codes in ((SIZE + 2, []), (SIZE + 1, [(None, "E-LOG-EMPTY"), (None, "E-KEY-UNKNOWN")])):
        assert found(folder, replace(POLICY, log_keys=((POLICY.log_keys[0][0], Span(1, stop)),))) == codes


def test_a_disk_that_fails_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = lay(tmp_path / "export", sealed(FILES), FILES)

    def fail(_self: object, _path: str) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(bundle._Bundle, "_open", fail)
    report = verify_bundle(folder, POLICY)
    assert [finding.code for finding in report.findings] == ["E-LOG-EMPTY", "E-BUNDLE-READ"]
    assert "(Input/output error)" in report.findings[1].text


def test_a_link_to_a_folder_is_not_followed(tmp_path: Path) -> None:
    folder = lay(tmp_path / "export", sealed(FILES), FILES)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").write_bytes(b"")
    (folder / "more").symlink_to(tmp_path / "elsewhere")
    (folder / "loop").symlink_to(folder)
    assert found(folder) == [(None, "E-BUNDLE-UNLISTED")] * 2


@pytest.mark.parametrize("name", ["entries.jsonl", "checkpoint"])
def test_a_missing_file_is_named_and_the_export_is_not_complete(tmp_path: Path, name: str) -> None:
    report = verify_bundle(lay(tmp_path / "export", sealed(FILES), changed(**{name: None})), POLICY)
    assert f"The export holds no {name}." in [finding.text for finding in report.findings]
    assert (report.claims[3].name, report.claims[3].ok) == (COMPLETE, False)


def test_what_differs_makes_it_incomplete_and_leaves_the_log_consistent(tmp_path: Path) -> None:
    report = verify_bundle(lay(tmp_path / "export", sealed(FILES), changed(**{"VERIFY.md": b""})), POLICY)
    assert [claim.ok for claim in report.claims[:4]] == [True, None, True, False]


def test_a_file_where_a_folder_should_be_is_found(tmp_path: Path) -> None:
    folder = lay(tmp_path / "export", sealed(FILES), FILES)
    shutil.rmtree(folder / "keys")
    (folder / "keys").write_bytes(b"")
    assert [code for _, code in found(folder)] == ["E-BUNDLE-UNLISTED", *["E-BUNDLE-MISSING-FILE"] * 2]


def test_an_anchor_that_knew_more_when_the_export_was_made_is_found(tmp_path: Path) -> None:
    early = b"".join(LINES[: SIZE + 1])  # the next line is of 00:00:04
    for created, leads in (("03.999999", False), ("04.000000", True), ("05.000000", True)):
        folder = lay(tmp_path / "export", sealed(FILES, created=f"2026-01-01T00:00:{created}Z"), FILES)
        assert found(folder, anchor=early) == ([(SIZE, "E-ANCHOR-LEADS")] if leads else [])


def test_an_export_of_a_log_with_wrong_checkpoints_says_so(tmp_path: Path) -> None:
    head = checkpoint.parse_unverified(PAIRS[SIZE - 1][1])[0]
    lie = checkpoint.issue(replace(head, root=bytes(32)), KEYS, 0)
    files = changed(checkpoint=lie.encode())
    files["checkpoints.jsonl"] = files["checkpoints.jsonl"].replace(NOTE, canonical.dumps(lie) + b"\n")
    assert found(lay(tmp_path / "export", sealed(files), files)) == [(SIZE - 1, "E-CHECKPOINT-ROOT")]


@pytest.mark.parametrize(
    ("files", "manifest", "expected"),
    [
        (OLD_FILES, {}, []),
        (changed(OLD_FILES, **{PROOF: OLD_FILES[bundle.proof_path(2)]}), {}, [(2, "E-BUNDLE-PROOF")]),
        (changed(OLD_FILES, **{PROOF: str(inclusion(1, PAIRS[2][1])).encode()}), {}, [(1, "E-BUNDLE-PROOF")]),
        (changed(OLD_FILES, **{PROOF: str(replace(inclusion(1), index=SIZE)).encode()}), {}, [(4, "E-BUNDLE-PROOF")]),
        (changed(OLD_FILES, **{PROOF: str(replace(inclusion(1), path=(bytes(32),) * 2)).encode()}), {},
         [(None, "E-PROOF-INCLUSION")]),
        (changed(OLD_FILES, **{PROOF: str(replace(inclusion(1), path=())).encode()}), {},
         [(None, "E-PROOF-INCLUSION")]),
        (changed(OLD_FILES, **{PROOF: b"\xff"}), {}, [(None, "E-PROOF-FORM")]),
        (changed(OLD_FILES, **{PROOF: None}), {}, [(None, "E-BUNDLE-PROOFS")]),
        (changed(OLD_FILES, **{PROOF: None, "proofs/other": OLD_FILES[PROOF]}), {},
         [(1, "E-BUNDLE-PROOF"), (None, "E-BUNDLE-PROOFS")]),
        (changed(OLD_FILES, **{bundle.proof_path(4): str(replace(inclusion(1), index=SIZE)).encode()}), {},
         [(4, "E-BUNDLE-PROOF"), (None, "E-BUNDLE-PROOFS")]),
        (OLD_FILES, {"size": SIZE + 1}, [(None, "E-BUNDLE-SIZE"), (None, "E-BUNDLE-PROOFS")]),
        (FILES, {}, [(None, "E-BUNDLE-PROOFS")]),  # each format has its own
        (OLD_FILES, {"format": bundle.FORMAT}, [(None, "E-BUNDLE-TILES")]),
    ],
)  # fmt: skip
def test_an_export_of_the_first_format_has_a_proof_for_each_entry(
    tmp_path: Path, files: dict[str, bytes], manifest: dict[str, object], expected: list[tuple[int | None, str]]
) -> None:
    folder = lay(tmp_path / "export", sealed(files, **{"format": bundle.WITH_PROOFS, **manifest}), files)
    assert found(folder) == expected
