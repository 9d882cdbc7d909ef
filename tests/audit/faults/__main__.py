# SPDX-License-Identifier: Apache-2.0
"""The door of the faults campaign.

``python -m tests.audit.faults [--points N] [--seed S] [--only PART…] [--out FILE] [--write]``: every point, or N of
them spread over all parts. Prints a table; the exit code is 1 where a point failed. ``--write`` puts the table into
``docs/reference/audit-evidence.md``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from tests.audit.evidence_page import write_block
from tests.audit.faults import campaign
from tests.audit.faults.outcome import Outcome


def main() -> int:
    """Run as much as asked."""
    parser = argparse.ArgumentParser(prog="python -m tests.audit.faults", description=__doc__)
    parser.add_argument("--points", type=int, help="points in all (every one)")
    parser.add_argument("--seed", type=int, default=0, help="of the choice among points (0)")
    parser.add_argument("--only", nargs="+", choices=campaign.PARTS, default=list(campaign.PARTS), help="parts to run")
    parser.add_argument("--out", type=Path, help="write the outcome as JSON to this file")
    parser.add_argument("--write", action="store_true", help="write the table into the page of evidence")
    options = parser.parse_args()
    began, outcomes = time.monotonic(), list[Outcome]()
    for name, count in campaign.shares(options.points, options.only).items():
        part_began, before = time.monotonic(), len(outcomes)
        for outcome in campaign.run(name, count, options.seed):
            outcomes.append(outcome)
            if outcome.wrong:
                sys.stdout.write(f"{outcome}\n")
                sys.stdout.flush()
        seconds = time.monotonic() - part_began
        sys.stderr.write(f"{name}: {len(outcomes) - before} points in {seconds:.0f} s\n")
    summary = campaign.summary(outcomes, options.points, options.seed, time.monotonic() - began)
    sys.stdout.write(campaign.table(summary.rows) + "\n")
    if options.out is not None:
        options.out.write_text(json.dumps(summary.document(), indent=1) + "\n", encoding="utf-8")
    if options.write:
        write_block(campaign.BLOCK, summary.page())
    return 1 if any(outcome.wrong for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
