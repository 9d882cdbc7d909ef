# SPDX-License-Identifier: Apache-2.0
"""What is left out of guards, metrics, statistics, gates and verifier turns a test red, or a reason is written down.

``make mutation`` runs ``python -m tests.mutation`` on all groups; ``--group`` asks for one, names of modules restrict
the run, and ``--write`` puts the rows of what ran into ``docs/reference/mutation.md``. Ends with 3 where a mutant
survives without a reason, a reason has no survivor, or fewer than 90 % of a group are killed.

Rules of this module:

- A process each module: pytest is started once in it, and keeps what it knows in variables of its modules.
- What is known about a survivor stands in ``survivors/GROUP.yaml``: by module, function and changed lines, with the
  reason.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from tests.audit import evidence_page
from tests.mutation import survivors
from tests.mutation.groups import GROUPS
from tests.mutation.judging import Campaign, Outcome

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "mutation.md"
MISSED = 3
ENOUGH = 90.0  # percent of a group's mutants
HEADS = ("module", "mutants", "killed", "by time", "survived", "with a reason", "killed, %", "sentences")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="restrict the run to these")
    parser.add_argument("--group", choices=GROUPS, help="restrict the run to this group")
    parser.add_argument("--write", action="store_true", help=f"put the rows into {PAGE.relative_to(ROOT)}")
    asked = parser.parse_args(arguments)
    missed = False
    for group in [asked.group] if asked.group else GROUPS:
        modules = [name for name in GROUPS[group] if not asked.modules or name in asked.modules]
        reasons, outcomes, open_ends = survivors.known(group), {}, 0
        for module in modules:
            outcomes[module] = examined(module, GROUPS[group][module])
            open_ends += tell(module, outcomes[module], reasons)
        if modules:
            page = PAGE.read_text("utf-8")
            text = table(block(page, group) if asked.write else "", group, outcomes, reasons)
            sys.stdout.write(f"\n{group}\n\n{text}")
            missed |= open_ends > 0 or share(read(text)["all"]) < ENOUGH
            if asked.write:
                PAGE.write_text(evidence_page.replaced(page, group, text), "utf-8")
    return MISSED if missed else 0


def block(page: str, group: str) -> str:
    """What stands on the page between the marks of a group."""
    return page.partition(f"<!-- {group}: begin -->\n")[2].partition(f"<!-- {group}: end -->")[0]


def examined(module: str, tests: Sequence[str]) -> Outcome:
    """The outcome of one module."""
    with ProcessPoolExecutor(1, get_context("fork")) as process:
        return process.submit(examine, module, tests).result()


def examine(module: str, tests: Sequence[str]) -> Outcome:
    """Run the campaign of one module in this process."""
    import pytest

    from tests.mutation import operators

    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # two children, two processors
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    mutants, sentences = operators.mutants(Path(spec.origin).read_text("utf-8"))
    campaign = Campaign(spec.origin, mutants)
    files = [
        str(ROOT / "tests" / folder / f"test_{name}.py") for folder, _, name in (one.partition("/") for one in tests)
    ]
    words = ["-q", "--no-header", "--no-summary", "--capture=sys", "-p", "no:cacheprovider", "-p", "no:xdist"]
    code = pytest.main([*words, f"--rootdir={ROOT}", *files], plugins=[campaign])
    if code:
        raise RuntimeError(f"{module}: pytest ended with {code}")
    campaign.outcome.sentences = sentences
    return campaign.outcome


def tell(module: str, outcome: Outcome, reasons: Mapping[survivors.Mutant, str]) -> int:
    """Write what survived without a reason, and reasons that nothing has; return how many there are of both."""
    survived = {(module, *one) for one in outcome.survivors}
    stale = {one for one in reasons if one[0] == module} - survived
    sys.stdout.write(f"\n{module}: {outcome.mutants} mutants, {len(outcome.survivors)} survived\n")
    for test in outcome.left_out:
        sys.stdout.write(f"  takes long, left out: {test}\n")
    for name, left in (("survived", survived - set(reasons)), ("has no survivor", stale)):
        for _, function, change in sorted(left):
            line = json.dumps(change, ensure_ascii=False)
            sys.stdout.write(f"- {{module: {module}, function: {function}}}  # {name}\n  change: {line}\n")
    sys.stdout.flush()
    return len(survived - set(reasons)) + len(stale)


def table(former: str, group: str, outcomes: Mapping[str, Outcome], reasons: Mapping[survivors.Mutant, str]) -> str:
    """The block of the page: rows of what ran now, former rows of what did not, and their sum."""
    rows = {name: counts for name, counts in read(former).items() if name in GROUPS[group]}
    for module, outcome in outcomes.items():
        explained = sum((module, *one) in reasons for one in outcome.survivors)
        counts = (outcome.killed, outcome.late, len(outcome.survivors), explained, outcome.sentences)
        rows[module] = (outcome.mutants, *counts)
    ordered = {module: rows[module] for module in GROUPS[group] if module in rows}
    lines = [HEADS, ("---", *["---:"] * (len(HEADS) - 1))]
    lines += [row(f"`{module}`", counts) for module, counts in ordered.items()]
    lines.append(row("all", tuple(map(sum, zip(*ordered.values(), strict=True)))))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def read(block: str) -> dict[str, tuple[int, ...]]:
    """Mutants, killed, by time, survived, explained and sentences by module, as :func:`row` wrote them."""
    cells = [line.strip("| ").split(" | ") for line in block.splitlines()[2:]]
    return {name.strip("`"): (*map(int, counts[:5]), int(counts[6])) for name, *counts in cells}


def row(name: str, counts: Sequence[int]) -> tuple[str, ...]:
    return (name, *map(str, counts[:5]), f"{share(counts):.1f}", str(counts[5]))


def share(counts: Sequence[int]) -> float:
    """How many of a hundred mutants were killed or late."""
    return 100 * (counts[1] + counts[2]) / max(counts[0], 1)


if __name__ == "__main__":
    sys.exit(main())
