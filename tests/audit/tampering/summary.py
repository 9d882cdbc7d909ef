# SPDX-License-Identifier: Apache-2.0
"""The results of a campaign, for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.audit.corpus import WE_ACCEPT, WE_REFUSE
from tests.audit.tampering.catalogue import STORES, VERDICTS


def wrong(results: dict[str, Any]) -> list[str]:
    """Everything that did not come out as it must."""
    return [
        *results["catalogue"]["unlike"],
        *results["histories"]["alarms"],
        *results["corpus"]["unexplained"],
        *results["small export"]["missed"],
        *results["large export"]["missed"],
    ]


def holds(results: dict[str, Any]) -> bool:
    """Whether all of it did."""
    return not wrong(results)


def markdown(results: dict[str, Any]) -> str:
    """The block of the page of evidence."""
    return "\n".join(_lines(results)) + "\n"


def _lines(results: dict[str, Any]) -> Iterator[str]:
    attacks, lives, both = results["catalogue"], results["histories"], results["corpus"]
    small, large = results["small export"], results["large export"]
    yield f"Written by `python -m tests.audit.tampering --write` on {results['date']}, {results['machine']}, in"
    yield f"{results['seconds']} s; seed {results['seed']}. {_verdict(results)}"
    yield ""
    yield f"**Attacks**: {attacks['cases']} cases (`tests/audit/tampering/catalogue.yaml`), each on its stores;"
    yield f"{sum(attacks['runs'].values())} runs, {len(attacks['unlike'])} of them otherwise than the catalogue says."
    yield ""
    yield f"| verdict | {' | '.join(STORES)} |"
    yield f"|---|{'---:|' * len(STORES)}"
    for letter, meaning in VERDICTS.items():
        counts = (str(attacks["runs"].get(f"{store} {letter}", 0)) for store in STORES)
        yield f"| {letter}: {meaning} | {' | '.join(counts)} |"
    yield ""
    yield f"**Honest histories**: {lives['ended']:,} random ones, {len(lives['alarms'])} false alarms."
    yield ""
    yield f"**Go and this verifier**: {_cases(both):,} notes and proofs; both accept {both['accepted']:,}, both reject"
    yield f"{both['rejected']:,}, {len(both['unexplained'])} differ without a reason. Those that differ with one:"
    yield ""
    yield "| who | cases | reason |"
    yield "|---|---:|---|"
    for code, count in sorted(both["we_refuse"].items()):
        yield f"| Go accepts, we refuse (`{code}`) | {count:,} | {WE_REFUSE[code]} |"
    for name, count in sorted(both["we_accept"].items()):
        yield f"| we accept, Go refuses ({name}) | {count:,} | {WE_ACCEPT[name]} |"
    yield ""
    yield f"**Changed bytes**: all {small['bytes']:,} bytes of the {small['files']} files of an export of one record;"
    yield f"{large['bytes']:,} bytes all over the {large['files']} files of one of 200. One bit of each in turn:"
    yield f"{len(small['missed']) + len(large['missed'])} not found."


def _cases(both: dict[str, Any]) -> int:
    named = sum(both["we_refuse"].values()) + sum(both["we_accept"].values())
    return int(both["accepted"] + both["rejected"] + named + len(both["unexplained"]))


def _verdict(results: dict[str, Any]) -> str:
    found = wrong(results)
    if not found:
        return "Everything came out as it must."
    return "Not as it must be: " + "; ".join(text[:200] for text in found[:5])
