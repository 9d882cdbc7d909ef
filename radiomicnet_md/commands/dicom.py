# SPDX-License-Identifier: Apache-2.0
"""``dicom``: receive images as a DICOM node, send objects to archives, fetch studies, and say what this node speaks.

How to connect an archive is in ``docs/how-to/connect-a-pacs.md``.
"""

from __future__ import annotations

import argparse
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from radiomicnet_md.commands import deidentify
from radiomicnet_md.commands.call import Call
from radiomicnet_md.commands.segment import text as answer_text
from radiomicnet_md.commands.stopping import asked_to_stop
from radiomicnet_md.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from radiomicnet_md.config import Tls

_QUERY = {"study": "StudyInstanceUID", "accession": "AccessionNumber", "patient-id": "PatientID"}
_EXAMPLE = """\
examples:
  radiomicnet-md dicom listen --out results --to archive      receive, decide, send the objects back
  radiomicnet-md dicom send results --to archive              send what was decided elsewhere
  radiomicnet-md dicom send results --record 3kq8 --to archive   send a record's objects again
  radiomicnet-md dicom fetch --from archive --study 1.2.3 --out study
  radiomicnet-md dicom deidentify study --out copies          without the patient, by PS3.15's basic profile
  radiomicnet-md dicom conformance

Archives are named under 'destinations' in the configuration file. An instance is acknowledged when it is on the disk,
and ends in one record however often this process is killed.
"""


def arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add the verbs of DICOM's network."""
    from radiomicnet_md.dicomnode import tables

    parser.epilog = _EXAMPLE
    verbs = parser.add_subparsers(dest="dicom_verb", required=True, metavar="VERB", parser_class=type(parser))
    listen = verbs.add_parser("listen", parents=[shared], help="receive by C-STORE, decide, send objects on")
    listen.add_argument("--out", required=True, type=Path, metavar="DIR", help="where the files of the cases go")
    listen.add_argument("--to", metavar="NAME", help="the destination that is sent each case's objects")
    listen.add_argument(
        "--ae", default=tables.AE_TITLE, type=_ae_title, metavar="TITLE", help="our title (%(default)s)"
    )
    listen.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="default: 127.0.0.1, this machine alone")
    listen.add_argument(
        "--port", default=tables.PORT, type=_port, metavar="N", help="default: %(default)s; 0: a free one"
    )
    listen.add_argument(
        "--from", dest="callers", action="append", default=[], type=_ae_title, metavar="TITLE", help="who may call"
    )
    listen.add_argument(
        "--study-timeout", default=tables.STUDY_TIMEOUT_S, type=_seconds, metavar="S",
        help="a study is complete when nothing of it came for so long (%(default)s)",
    )  # fmt: skip
    listen.add_argument("--tls-certificate", type=Path, metavar="FILE", help="certificate and chain, PEM: TLS alone")
    listen.add_argument("--tls-key", type=Path, metavar="FILE", help="its private key, PEM")
    listen.add_argument("--tls-ca", type=Path, metavar="FILE", help="who signed the certificates of callers, PEM")
    send = verbs.add_parser("send", parents=[shared], help="send DICOM files, or what waits in the outbox")
    send.add_argument(
        "source", nargs="*", type=Path, metavar="FOLDER", help="files, or folders of them; none: what waits"
    )
    send.add_argument("--record", metavar="ID", help="the objects of this record alone (id or beginning)")
    send.add_argument("--to", required=True, metavar="NAME", help="the destination")
    send.add_argument("--wait", default=60.0, type=_seconds, metavar="S", help="for so long (%(default)s)")
    fetch = verbs.add_parser("fetch", parents=[shared], help="bring studies from an archive into a folder")
    fetch.add_argument("--from", dest="source", required=True, metavar="NAME", help="the destination that has them")
    what = fetch.add_mutually_exclusive_group(required=True)
    for option, keyword in _QUERY.items():
        what.add_argument(f"--{option}", dest=keyword, metavar="VALUE", help=f"studies of this {keyword}")
    fetch.add_argument("--out", required=True, type=Path, metavar="DIR", help="a folder a study is made in it")
    deidentify.arguments(
        verbs.add_parser("deidentify", parents=[shared], help="copy ultrasound images without their patients")
    )
    verbs.add_parser("conformance", parents=[shared], help="print the conformance statement")


def run(call: Call) -> int:
    """Do one of the verbs of DICOM's network."""
    verbs = {
        "listen": _listen,
        "send": _send,
        "fetch": _fetch,
        "deidentify": deidentify.run,
        "conformance": _conformance,
    }
    return verbs[call.given.dicom_verb](call)


def _listen(call: Call) -> int:
    from radiomicnet_md import compiling
    from radiomicnet_md.dicomnode.listening import Ears, Task, listen
    from radiomicnet_md.dicomnode.receiving import Place

    given, console = call.given, call.console
    compiling.announce(console.note)
    place = Place(given.ae, given.host, given.port, tuple(given.callers), _tls(given))
    where = {"ae": given.ae, "host": given.host}
    ears = Ears(
        lambda port: console.emit({**where, "port": port}, f"{given.ae} listens on {given.host} port {port}"),
        lambda answer: console.emit(answer.line(), answer_text(answer)),
        lambda sent: console.emit(sent.line(), _sent_text(sent.line())),
    )
    with asked_to_stop() as (stop, asked):
        code = listen(call.settings(), place, Task(given.out, given.to, given.study_timeout), ears, stop)
    return ExitCode.INTERRUPTED if signal.SIGINT in asked else code


def _send(call: Call) -> int:
    from radiomicnet_md.dicomnode.sending import Errand, send

    given, console = call.given, call.console
    return send(
        call.settings(),
        given.to,
        Errand(given.source, given.wait, given.record),
        lambda sent: console.emit(sent.line(), _sent_text(sent.line())),
    )


def _fetch(call: Call) -> int:
    from radiomicnet_md.dicomnode.fetching import fetch

    given, console = call.given, call.console
    query = {keyword: value for keyword in _QUERY.values() if (value := getattr(given, keyword)) is not None}
    count = fetch(
        call.settings(),
        given.source,
        query,
        given.out,
        lambda path: console.emit({"file": str(path)}, str(path)),
    )
    console.note(f"{count} instances; decide them: radiomicnet-md segment STUDY-FOLDER --out DIR")
    return ExitCode.OK


def _conformance(call: Call) -> int:
    from radiomicnet_md.dicomnode import conformance

    text = conformance.statement()
    call.console.emit({"statement": text}, text)
    return ExitCode.OK


def _sent_text(line: dict[str, object]) -> str:
    why = "" if line["why"] is None else f": {line['why']}"
    of = "" if line["of"] is None else f", objects of record {line['of']}"
    return f"{line['status']:<9} to {line['destination']}{why}{of}"


def _tls(given: argparse.Namespace) -> Tls | None:
    from radiomicnet_md.config import Tls

    files = (given.tls_certificate, given.tls_key, given.tls_ca)
    if not any(files):
        return None
    if not all(files):
        raise UsageError(
            "E-LISTEN-TLS", "TLS takes a certificate, its key and authorities.", remedy="Name all three, or none."
        )
    certificate, key, authorities = files
    return Tls(certificate_file=certificate, key_file=key, ca_file=authorities)


def _ae_title(text: str) -> str:
    from radiomicnet_md.config import AE_TITLE

    if not AE_TITLE.fullmatch(text):
        raise argparse.ArgumentTypeError("not an AE title: 1 to 16 letters, digits, '.', '_' and '-'")
    return text


def _port(text: str) -> int:
    from radiomicnet_md.commands.serve import port

    return port(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 86_400:  # noqa: PLR2004 -- a day
        raise argparse.ArgumentTypeError("not a number of seconds from 0 to 86400")
    return value
