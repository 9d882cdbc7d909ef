# SPDX-License-Identifier: Apache-2.0
"""``audit``: what the log holds, whether it holds, and what comes out when a case is decided again."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from radiomicnet_md.commands import anchor, erase, hold, listing, witness
from radiomicnet_md.commands.call import Call, printable
from radiomicnet_md.errors import ConfigurationError, ExitCode, IntegrityError

if TYPE_CHECKING:
    from radiomicnet_md.home import Home
    from radiomicnet_md_audit.anchor import AnchorText
    from radiomicnet_md_audit.ledger import Ledger

_FORMS = ("csv", "jsonl", "fhir", "dicom")
_SHOWN = {True: "yes", False: "NO ", None: "–  "}  # None: not checked
_EXAMPLE = """\
examples:
  radiomicnet-md audit list --since 2026-11-01 --state REFUSED
  radiomicnet-md audit show 3kq8            (the beginning of a record id is enough)
  radiomicnet-md audit verify --anchor copy-of-the-anchor
  radiomicnet-md audit anchor               (the newest checkpoint, to keep elsewhere)
  radiomicnet-md audit export bundle        then, anywhere: python -m radiomicnet_md_audit verify bundle --policy …
  radiomicnet-md audit report --form csv --out records.csv
  radiomicnet-md audit replay 3kq8 --input scan.dcm
  radiomicnet-md audit erase 3kq8 --reason "request 12 of 2026"   (the person, with all their records)
"""


def arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add the verbs of the log."""
    parser.epilog = _EXAMPLE
    verbs = parser.add_subparsers(dest="audit_verb", required=True, metavar="VERB", parser_class=type(parser))
    listing.arguments(verbs.add_parser("list", parents=[shared], help="a line a decision"))
    showing = verbs.add_parser("show", parents=[shared], help="one record, proven and explained")
    showing.add_argument("id", metavar="ID", help="a record id, or the beginning of one")
    verifying = verbs.add_parser("verify", parents=[shared], help="every signature, hash and proof of the log")
    verifying.add_argument("--anchor", metavar="FILE", help="a copy of the anchor kept elsewhere")
    verifying.add_argument("--outside", metavar="FILE", help="what others said of the log, kept elsewhere")
    quick = "leave signatures and anchor out: quicker, and never a verification"
    verifying.add_argument("--structure", action="store_true", help=quick)
    anchor.arguments(
        verbs.add_parser("anchor", parents=[shared], help="the newest checkpoint to a witness, a time stamp or a file")
    )
    exporting = verbs.add_parser("export", parents=[shared], help="a bundle that verifies offline")
    exporting.add_argument("folder", metavar="DIR", help="a new folder")
    reporting = verbs.add_parser("report", parents=[shared], help="every record in a form that other systems read")
    reporting.add_argument("--form", choices=_FORMS, required=True, help="a table, FHIR R4, or DICOM audit messages")
    reporting.add_argument("--out", metavar="FILE", required=True, help="a new file")
    replaying = verbs.add_parser("replay", parents=[shared], help="decide a recorded case again and compare")
    replaying.add_argument("id", metavar="ID", help="a record id, or the beginning of one")
    replaying.add_argument("--input", metavar="FILE", help="the input; without it, the samples kept with the record")
    erase.arguments(verbs.add_parser("erase", parents=[shared], help="erase a person, or everyone of long ago"))
    hold.arguments(verbs.add_parser("hold", help="legal holds: what must not be erased"), shared)
    witness.arguments(verbs.add_parser("witness", help="cosign other logs' checkpoints"), shared)


def run(call: Call) -> int:
    """Do one of the verbs of the log."""
    verbs = {"list": _list, "show": _show, "verify": _verify, "export": _export, "report": _report, "replay": _replay}
    more = {"anchor": anchor.run, "erase": erase.run, "hold": hold.run, "witness": witness.run}
    return (verbs | more)[call.given.audit_verb](call)


def _list(call: Call) -> int:
    with _reading(call) as (home, ledger):
        return listing.show(call, ledger, erase.chosen(call, home, ledger))


def _show(call: Call) -> int:
    from radiomicnet_md import shelf
    from radiomicnet_md.people import signatures
    from radiomicnet_md.privacy.history import erased
    from radiomicnet_md.review import proven, text
    from radiomicnet_md_audit.statement import DECISION

    with _reading(call) as (home, ledger):
        entry = ledger.find(call.given.id)
        said = ledger.read(entry)
        past = erased(ledger).get(said.record_id)
        claims = past.claims() if past else shelf.claims(home.folder, said.predicate)
        statement, proof = proven.prove(ledger, entry, claims)
        signed = signatures(ledger, said.record_id)
    if call.console.as_json:
        gone = past and past.record_id
        about = {"log_index": proof.index, "erased": gone, "signatures": [one.document() for one in signed]}
        call.console.emit({**about, "statement": statement}, "")
    elif statement["predicateType"] == DECISION:
        call.console.page(text.show(statement, proof, signed, colour=call.console.colour))
    else:
        call.console.page(printable(json.dumps(statement["predicate"], indent=2)) + "\n")
    return ExitCode.OK


def _verify(call: Call) -> int:
    from radiomicnet_md_audit.stored import verify_ledger

    structure: bool = call.given.structure
    less = {"structure_only": True} if structure else {}
    copy, outside = _copy(call.given.anchor), _copy(call.given.outside)
    try:
        with _reading(call) as (_, ledger):
            text, said = ledger.anchor_text() if copy is None else copy, b"" if outside is None else outside[:]
            is_copy = copy is not None
            report = verify_ledger(ledger, text, signatures=not structure, anchor_is_copy=is_copy, outside=said)
    except IntegrityError as problem:
        finding = {"index": None, "code": problem.code, "text": str(problem)}
        nothing = {"ok": False, "size": None, "root": None, "claims": [], "findings": [finding]}
        call.console.emit({**nothing, **less}, f"NOT OK  {problem} [{problem.code}]\n        → {problem.remedy}")
        return ExitCode.INTEGRITY
    holds = report.sound if structure else report.ok
    word = ("STRUCTURE ONLY, signatures not verified:" if structure else "OK") if holds else "NOT OK"
    heading = f"{word}  {report.size} entries, root {report.root}"
    claims = [f"  {_SHOWN[claim.ok]}  {claim.name}: {claim.text}" for claim in report.claims]
    findings = [f"  entry {found.index}: {found.text} [{found.code}]" for found in report.findings]
    call.console.emit({**report.document(), **less}, "\n".join([heading, *claims, *findings]))
    return ExitCode.OK if holds else ExitCode.INTEGRITY


def _export(call: Call) -> int:
    from radiomicnet_md.bundle import export_log
    from radiomicnet_md.home import open_home

    settings = call.settings()
    folder = Path(call.given.folder)
    size = export_log(open_home(settings.home), folder, settings.account, settings.audit_db)
    policy = folder / "policy.json"
    check = f"python -m radiomicnet_md_audit verify {folder} --policy {policy}"
    call.console.emit({"folder": str(folder), "policy": str(policy), "size": size}, f"exported to {folder}\n  {check}")
    call.console.note("Give the policy to whoever verifies by another way than the bundle: it says whom to trust.")
    return ExitCode.OK


def _report(call: Call) -> int:
    from radiomicnet_md.bundle import report_log
    from radiomicnet_md.home import open_home
    from radiomicnet_md_audit.outside import Form

    settings, out = call.settings(), Path(call.given.out)
    count = report_log(open_home(settings.home), Form(call.given.form), out, settings.account, settings.audit_db)
    call.console.emit({"form": call.given.form, "out": str(out), "records": count}, f"{count} records in {out}")
    call.console.note("A report proves nothing by itself; the log that its digests name does: audit verify.")
    return ExitCode.OK


def _replay(call: Call) -> int:
    from radiomicnet_md import compiling
    from radiomicnet_md.opening import open_desk
    from radiomicnet_md.replay import replay

    compiling.announce(call.console.note)
    source = None if call.given.input is None else Path(call.given.input)
    with open_desk(call.settings()) as desk:
        done = replay(call.given.id, desk, source)
    record = f"  record of this replay: {done.record_id} at {done.log_index} in the log"
    call.console.emit(done.line(), f"{done.finding.verdict}  {done.of}\n  {done.finding.text}\n{record}")
    return done.exit_code


@contextmanager
def _reading(call: Call) -> Iterator[tuple[Home, Ledger]]:
    """The home and its log, opened to read."""
    from radiomicnet_md.home import open_home

    settings = call.settings()
    home = open_home(settings.home)
    with home.reading_ledger(settings.audit_db) as ledger:
        yield home, ledger


def _copy(file: str | None) -> AnchorText | None:
    """A copy from elsewhere, where one was given."""
    from radiomicnet_md_audit.anchor import mapped

    if file is None:
        return None
    try:
        return mapped(Path(file))
    except OSError as error:
        fact = f"A copy cannot be read: {error.strerror}."
        raise ConfigurationError(
            "E-ANCHOR-READ", fact, remedy="Check the file given with --anchor or --outside."
        ) from None
