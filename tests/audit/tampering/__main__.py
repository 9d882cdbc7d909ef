# SPDX-License-Identifier: Apache-2.0
"""The campaign: everything that is known to be tried on a log, in full, and what came of it.

``python -m tests.audit.tampering`` runs the catalogue of attacks, random honest histories, notes and proofs before Go's
verifier and this one, and single changed bytes all over exports of 1 and of 200 records. It prints a summary; ``--out``
keeps the results as JSON, ``--write`` puts them into ``docs/reference/audit-evidence.md``. Exit code 1: something did
not come out as it must, or a part that is needed (PostgreSQL, Go) is not here.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tests.audit import evidence_page
from tests.audit.tampering import campaign, summary


def main() -> int:
    """Run as asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=10_000, help="random honest histories (10,000)")
    parser.add_argument("--corpus", type=int, default=12_000, help="notes and proofs for both verifiers (12,000)")
    parser.add_argument("--bytes", type=int, default=2_000, help="changed bytes of the export of 200 records (2,000)")
    parser.add_argument("--seed", type=int, default=0, help="of all that is random (0)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (2)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="keep the results as JSON")
    parser.add_argument("--write", action="store_true", help="put the results into docs/reference/audit-evidence.md")
    options = parser.parse_args()
    results = campaign.run(options.histories, options.corpus, options.bytes, options.seed, options.jobs)
    if options.out is not None:
        options.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    text = summary.markdown(results)
    if options.write:
        evidence_page.write_block("tamper", text)
    sys.stdout.write(text)
    return 0 if summary.holds(results) else 1


if __name__ == "__main__":
    sys.exit(main())
