# SPDX-License-Identifier: Apache-2.0
"""A qualification as a page, a PDF and signed JSON: one content, which the JSON holds whole.

Rules of this module:

- Page and PDF are made from the same blocks, and these from the JSON's payload alone: none says what another does not.
- The page needs no other file and no address; its own content security policy forbids both.
- The same payload gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from radiomicnet_md.review import page, pdf
from radiomicnet_md.review.pdf import Block, Heading, Table, Text
from radiomicnet_md_audit import canonical, dsse
from radiomicnet_md_audit.qualification import REPORT
from radiomicnet_md_audit.sign import Signer

TYPE: Final = "application/vnd.radiomicnet-md.qualification+json"
TITLES: Final = {
    "iq": "Installation qualification",
    "oq": "Operational qualification",
    "pq": "Performance qualification",
}
NOTICE: Final = (
    "RadiomicNet-MD is not a cleared medical device. A qualification is about one installation on one computer; it is "
    "not clinical evidence. It counts once somebody of the role qa has signed its record."
)


def files(payload: Mapping[str, Any], key: Signer) -> dict[str, bytes]:
    """The report's files by name; needs the extra ``report``."""
    title = f"{TITLES[payload['kind']]}: {payload['verdict']}"
    shown = blocks(payload)
    foot = f"RadiomicNet-MD · {title} · {payload['began_utc'][:19]} UTC"
    return {
        "report.html": page.html(title, shown).encode(),
        "report.pdf": pdf.document(f"RadiomicNet-MD · {title}", foot, shown),
        REPORT: dsse.seal(canonical.dumps(dict(payload)), TYPE, key),
    }


def blocks(payload: Mapping[str, Any]) -> list[Block]:
    """What page and PDF show."""
    results: Sequence[Mapping[str, Any]] = payload["results"]
    counts = payload["counts"]
    release, code = payload["release"], payload["code"]
    about = {
        "verdict": payload["verdict"],
        "checks": ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())),
        "began, ended (UTC)": f"{payload['began_utc'][:19]}, {payload['ended_utc'][:19]}",
        "platform": payload["platform"],
        "tester's account": payload["operator"],
        "home": f"{payload['home']}; log {payload['log']}",
        "release": f"{release['id']} {release['version']}, manifest {release['manifest_sha256']}",
        "code": f"{code['version']}, {code['sha256']}",
        "environment": payload["environment"]["sha256"],
        "lock": payload["lock_sha256"],
        "protocol": payload["protocol_sha256"],
    }
    found: list[Block] = [Heading(f"{TITLES[payload['kind']]}: {payload['verdict']}", 1), Text(NOTICE)]
    found += [Table(("what", "value"), list(about.items())), Heading("Checks")]
    found.append(Table(("id", "verdict", "objective", "expected", "actual", "requirements"), _rows(results)))
    left = [one for one in results if one["verdict"] != "PASS"]
    found.append(Heading("What did not pass"))
    found += [Text(f"{one['id']} {one['verdict']}: {one['actual']}") for one in left] or [Text("Nothing.")]
    found += [Heading("What it ran on"), Table(("what", "value"), sorted(payload["machine"].items()))]
    found += [Heading("Dependencies, by the SHA-256 of their RECORD")]
    found.append(Table(("package", "SHA-256"), sorted(payload["installed"].items())))
    return found


def _rows(results: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    named = ("id", "verdict", "objective", "expected", "actual")
    return [(*(one[name] for name in named), " ".join(one["requirements"])) for one in results]
