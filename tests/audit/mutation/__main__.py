# SPDX-License-Identifier: Apache-2.0
"""Every check left out of the verifier turns a test red, or a reason is written down.

``make mutation`` installs mutmut beside the environment and runs ``python -m tests.audit.mutation``; ``--write`` also
puts the table into ``docs/reference/audit-evidence.md``; names of modules restrict the run. Ends with 3 where a mutant
survives without a reason, or a reason has no survivor. Takes about half an hour on two cores.

Rules of this module:

- The verifier and its tests are copied to a temporary folder of the shape that mutmut expects; the checkout stays as
  it is.
- A mutant is killed by a test that fails, or by none ending in time. One that no test reaches has survived.
- What is known about a survivor stands in ``survivors.yaml``: by module, function and changed lines, with the reason.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from tests.audit import evidence_page
from tests.audit.mutation import survivors

sys.path.append(str(Path(sys.prefix) / "mutation"))  # filled by `make mutation`

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = "radiomicnet_md_audit"
# Each module with the tests that decide about it: most mutants die in the first tenth of a second, and a survivor has
# gone through all of these. `format` holds the published vectors against what the code writes.
TESTS = {
    "canonical": ("canonical", "dsse"),
    "encoding": ("canonical",),
    "merkle": ("merkle",),
    "note": ("checkpoint",),
    "checkpoint": ("checkpoint",),
    "cosignature": ("cosignature", "witness"),
    "dsse": ("dsse",),
    "proof": ("proof",),
    "statement": ("statement", "policy"),
    "policy": ("policy", "policy_edges", "keychange_edges"),
    "anchor": ("anchor",),
    "keychange": ("keychange_edges",),
    "persons": ("persons_edges", "persons"),
    "esignature": ("esignature_edges", "vectors_people"),
    "attested": ("attested", "esignature_edges", "vectors_people"),
    "examine": ("verify_edges", "verify_report", "keychange_edges"),
    "verify": ("verify_edges", "verify_report", "keychange_edges", "esignature_edges"),
    "tiles": ("tiles",),
    "bundle": ("bundle_edges", "outside_edges"),
    "stored": ("stored_edges", "evidence"),
}
MISSED = 3
CHILDREN = 2


@dataclass
class Outcome:
    """What became of the mutants of one module."""

    killed: int = 0
    late: int = 0
    sentences: int = 0
    survivors: list[tuple[str, str]] = field(default_factory=list)  # function, changed lines

    @property
    def mutants(self) -> int:
        return self.killed + self.late + len(self.survivors)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.audit.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="restrict the run to these")
    parser.add_argument("--write", action="store_true", help="put the table into docs/reference/audit-evidence.md")
    asked = parser.parse_args(arguments)
    modules = tuple(asked.modules) or tuple(TESTS)
    reasons = set(survivors.known())
    began, outcomes, open_ends = time.monotonic(), {}, 0
    for module in modules:
        # A process each: mutmut keeps what it knows about the tests in variables of its modules.
        with ProcessPoolExecutor(1, get_context("fork")) as process:
            outcomes[module] = process.submit(examine, module).result()
        open_ends += tell(module, outcomes[module], reasons)
    text = table(outcomes, reasons, round((time.monotonic() - began) / 60))
    sys.stdout.write(f"\n{text}")
    if asked.write:
        evidence_page.write_block("mutation", text)
    return MISSED if open_ends else 0


def tell(module: str, outcome: Outcome, reasons: set[survivors.Mutant]) -> int:
    """Write what survived without a reason, and reasons that nothing has; return how many there are of both."""
    survived = {(module, *one) for one in outcome.survivors}
    stale = {one for one in reasons if one[0] == module} - survived
    sys.stdout.write(f"\n{module}: {outcome.mutants} mutants, {len(outcome.survivors)} survived\n")
    for name, left in (("survived", survived - reasons), ("has no survivor", stale)):
        for _, function, change in sorted(left):
            line = json.dumps(change, ensure_ascii=False)
            sys.stdout.write(f"- {{module: {module}, function: {function}}}  # {name}\n  change: {line}\n")
    sys.stdout.flush()
    return len(survived - reasons) + len(stale)


def examine(module: str) -> Outcome:
    """Run the campaign of one module."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        stage(Path(folder), module)
        os.chdir(folder)
        try:
            return run(module)
        finally:
            os.chdir(ROOT)


def stage(folder: Path, module: str) -> None:
    """Lay out the verifier, its tests and what they read as mutmut expects them."""
    from tests.audit.mutation import operators

    skip = shutil.ignore_patterns("__pycache__")
    for name in ("tests", "traceability", "audit"):
        shutil.copytree(ROOT / name, folder / name, ignore=skip)
    shutil.move(folder / "audit" / PACKAGE, folder / PACKAGE)
    path = folder / PACKAGE / f"{module}.py"
    path.write_text(operators.undecorated(path.read_text("utf-8")), "utf-8")
    pytest = (ROOT / "pyproject.toml").read_text("utf-8").partition("[tool.pytest.ini_options]")[2]
    settings = {
        "source_paths": [PACKAGE],
        "only_mutate": [f"{PACKAGE}/{module}.py"],
        "also_copy": ["traceability", "audit"],
        "pytest_add_cli_args": ["-p", "tests.audit.mutation.quick", "-p", "no:cacheprovider"],
        "pytest_add_cli_args_test_selection": [f"tests/audit/test_{name}.py" for name in ("format", *TESTS[module])],
        "timeout_multiplier": 4.0,
        "timeout_constant": 1.5,
    }
    lines = [f"{key} = {json.dumps(value)}\n" for key, value in settings.items()]
    text = "".join(("[tool.mutmut]\n", *lines, "\n[tool.pytest.ini_options]", pytest))
    (folder / "pyproject.toml").write_text(text, "utf-8")


def run(module: str) -> Outcome:
    """Let mutmut make the mutants of the staged module and run the tests against each; say what became of them."""
    from mutmut import __main__ as mutmut
    from mutmut.mutation.data import SourceFileMutationData
    from mutmut.mutation.diff_apply import get_diff_for_mutant
    from mutmut.stats import status_by_exit_code
    from mutmut.utils.format_utils import orig_function_and_class_names_from_key

    from tests.audit.mutation import operators

    operators.install()
    mutmut._run((), CHILDREN)
    path = Path(PACKAGE, f"{module}.py")
    made = SourceFileMutationData(path=path)
    made.load()
    outcome = Outcome(sentences=operators.sentences(path, path.read_text("utf-8")))
    for key, code in made.exit_code_by_key.items():
        match status_by_exit_code[code]:
            case "killed":
                outcome.killed += 1
            case "timeout":
                outcome.late += 1
            case _:
                function, owner = orig_function_and_class_names_from_key(key)
                name = ".".join(filter(None, (owner, function.removesuffix(operators.PLAIN))))
                outcome.survivors.append((name, survivors.changed(get_diff_for_mutant(key, path=path))))
    return outcome


def table(outcomes: dict[str, Outcome], reasons: set[survivors.Mutant], minutes: int) -> str:
    """Return the block of the page."""
    heads = ("module", "mutants", "killed", "by time", "survived", "with a reason", "killed, %", "sentences")
    rows = [heads, ("---", *["---:"] * (len(heads) - 1))]
    total: Counter[str] = Counter()
    for module, outcome in outcomes.items():
        explained = sum((module, *one) in reasons for one in outcome.survivors)
        figures = (outcome.mutants, outcome.killed, outcome.late, len(outcome.survivors), explained)
        rows.append(
            (
                f"`{module}`",
                *map(str, figures),
                percent(outcome.killed + outcome.late, outcome.mutants),
                str(outcome.sentences),
            )
        )
        total.update(dict(zip(heads[1:6], figures, strict=True)), sentences=outcome.sentences)
    share = percent(total["killed"] + total["by time"], total["mutants"])
    rows.append(("all", *(str(total[head]) for head in heads[1:6]), share, str(total["sentences"])))
    lines = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"{lines}\n\nTook {minutes} minutes with {CHILDREN} processes.\n"


def percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else "–"


if __name__ == "__main__":
    sys.exit(main())
