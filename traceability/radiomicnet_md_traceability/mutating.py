# SPDX-License-Identifier: Apache-2.0
"""Breaks every risk control in five ways and demands that a test that attacks it turns red each time.

Rules of this module:

- Only tests whose mark names the control with ``rc=`` count, and they run in a process of their own
  (:mod:`mutating_plugin`), in which the control is broken (:mod:`breaking`); the checkout stays as it is.
- ``.results/mutants.json`` (:mod:`mutants`) is written when all asked for were judged, and not before.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from radiomicnet_md_audit.errors import ConfigurationError, ExitCode, Problem
from radiomicnet_md_traceability import mutants
from radiomicnet_md_traceability.graph import Graph
from radiomicnet_md_traceability.mutants import Fate, Mutant

_GLANCE = 0.1  # seconds between two looks at what came in
_PAGE_BEGIN, _PAGE_END = "<!-- mutants: begin -->\n", "<!-- mutants: end -->"
PAGE = Path("docs") / "reference" / "risk-controls.md"


class UnknownControlError(Problem):
    """A control is asked for that is not there."""

    exit_code = ExitCode.USAGE


def asked(graph: Graph, only: Sequence[str]) -> tuple[Mutant, ...]:
    """The mutants of the controls named, or of all.

    Raises:
        UnknownControlError: no control has such an id (``E-TRACE-CONTROL``).
    """
    controls = {item.id: item for item in graph.items.of("control")}
    for id_ in only:
        if id_ not in controls:
            raise UnknownControlError(
                "E-TRACE-CONTROL", f"No risk control is called {id_}.", remedy="See traceability/risks/controls.yaml."
            )
    return tuple(mutant for id_ in only or controls for mutant in mutants.of(controls[id_]))


def judge(graph: Graph, wanted: Sequence[Mutant]) -> Iterator[Fate]:
    """The fate of each mutant, as it becomes known.

    Raises:
        ConfigurationError: pytest ended before all were judged (``E-TRACE-MUTATE``).
    """
    controls = {mutant.control for mutant in wanted}
    files = sorted({test.nodeid.partition("::")[0] for test in graph.tests if controls & set(test.controls)})
    with tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        listed = [[mutant.name, dict(mutant.how)] for mutant in wanted]
        (folder / "asked.json").write_text(json.dumps(listed), encoding="utf-8")
        (folder / "fates").touch()
        judged = 0
        with (folder / "log").open("wb") as log, _started(graph.root, folder, files, log.fileno()) as process:
            for line in _lines(folder / "fates", process):
                judged += 1
                yield Fate(*json.loads(line))
        if judged < len(wanted):
            said = (folder / "log").read_text(encoding="utf-8", errors="replace").strip().splitlines()[-8:]
            raise ConfigurationError(
                "E-TRACE-MUTATE",
                f"pytest ended after {judged} of {len(wanted)} mutants: {' | '.join(said)}",
                remedy="Run the tests that attack the controls by themselves, and mend what stops them.",
            )


def _lines(file: Path, process: subprocess.Popen[bytes]) -> Iterator[str]:
    """The lines of a file that a process writes, until it has ended; it is ended where nobody wants them any more."""
    running = True
    try:
        with file.open(encoding="utf-8") as lines:
            while running:
                running = process.poll() is None
                yield from lines
                time.sleep(_GLANCE if running else 0)
    finally:
        process.terminate()


def _started(root: Path, folder: Path, files: Sequence[str], log: int) -> subprocess.Popen[bytes]:
    words = ["-q", "-p", "no:cacheprovider", "-p", "radiomicnet_md_traceability.mutating_plugin"]
    words += ["--capture=sys", "--continue-on-collection-errors", f"--mutants={folder}", *files]
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    own |= {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis"),
        "PYTEST_DEBUG_TEMPROOT": str(folder),
    }
    return subprocess.Popen([sys.executable, "-m", "pytest", *words], cwd=root, env=own, stdout=log, stderr=log)  # noqa: S603


def overview(fates: Sequence[Fate]) -> str:
    """A line a control and a column a way: how many of its mutants were killed, ``-`` where the way cannot exist."""
    lines = [f"{'':8}{''.join(f'{way:>22}' for way in mutants.WAYS)}"]
    for control in dict.fromkeys(fate.name.partition(":")[0] for fate in fates):
        cells = []
        for way in mutants.WAYS:
            own = [fate.fate == mutants.KILLED for fate in fates if fate.name.split(":")[:2] == [control, way]]
            cells.append(f"{sum(own)} of {len(own)}" if own else "-")
        lines.append(f"{control:8}{''.join(f'{cell:>22}' for cell in cells)}")
    return "\n".join(lines)


def table(graph: Graph, fates: Sequence[Fate]) -> str:
    """A row a control and a column a way: by how many mutants, and which test killed each."""
    rows = ["| Control | Way | Broken | Fate | By |", "|---|---|---|---|---|"]
    by_name = {fate.name: fate for fate in fates}
    for control in graph.items.of("control"):
        for mutant in mutants.of(control):
            fate = by_name.get(mutant.name)
            if fate is not None:
                symbol = str(mutant.how["symbol"])
                test = f"`{fate.by.rpartition('/')[2]}`" if fate.by else fate.reason
                rows.append(f"| {control.id} | {mutant.way} | `{symbol}` | {fate.fate} | {test} |")
    return "\n".join(rows) + "\n"


def summary(fates: Sequence[Fate]) -> str:
    """One line."""
    controls = len({fate.name.partition(":")[0] for fate in fates})
    words = (mutants.KILLED, mutants.SURVIVED, mutants.ERROR)
    said = ", ".join(f"{sum(fate.fate == word for fate in fates)} {word}" for word in words)
    return f"trace mutate: {controls} controls, {len(fates)} mutants: {said}"


def write_page(graph: Graph, fates: Sequence[Fate]) -> None:
    """Put the table into ``docs/reference/risk-controls.md``, between its two marks, and touch nothing else of it.

    Raises:
        ConfigurationError: the page has not exactly one such place (``E-TRACE-PAGE``).
    """
    file = graph.root / PAGE
    page = file.read_text(encoding="utf-8") if file.is_file() else ""
    before, _, rest = page.partition(_PAGE_BEGIN)
    old, _, after = rest.partition(_PAGE_END)
    if f"{before}{_PAGE_BEGIN}{old}{_PAGE_END}{after}" != page or _PAGE_BEGIN in f"{old}{after}":
        raise ConfigurationError(
            "E-TRACE-PAGE",
            f"{PAGE.name} has not exactly one place for the table.",
            remedy="Restore the page from the repository.",
        )
    text = f"{before}{_PAGE_BEGIN}{table(graph, fates)}\n{summary(fates)}\n{_PAGE_END}{after}"
    file.write_text(text, encoding="utf-8")
