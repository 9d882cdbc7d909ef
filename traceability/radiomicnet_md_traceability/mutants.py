# SPDX-License-Identifier: Apache-2.0
"""What became of every broken risk control, and of which source that holds.

Rules of this module:

- A control is broken in each of the five ``WAYS``, each way by one break or several; a way that cannot exist says why.
- ``killed`` is a mutant whose tests a failed assertion or an unexpected typed error turned red. ``survived`` and
  ``error`` (it could not be applied, nothing ran, or the tests merely crashed) weigh the same.
- The file ``.results/mutants.json`` names the source, the attacking tests and the breaks it was obtained with; the
  fate of a control of which any of these has changed is stale.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from radiomicnet_md_audit.errors import ConfigurationError
from radiomicnet_md_traceability import environment, stamp
from radiomicnet_md_traceability.graph import Graph
from radiomicnet_md_traceability.load import Item

FILE = Path(".results") / "mutants.json"
FORMAT = 1
WAYS = ("absent", "always_accept", "wrong_threshold", "exception_swallowed", "logged_but_continued")
KILLED, SURVIVED, ERROR = "killed", "survived", "error"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One break of one control; its name is ``RC-001:absent``, or ``RC-001:absent:2`` for the second of its way."""

    name: str
    how: Mapping[str, Any]

    @property
    def control(self) -> str:
        """The control's id."""
        return self.name.partition(":")[0]

    @property
    def way(self) -> str:
        """The way, as people write it."""
        return str(self.how["way"]).replace("_", " ")


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a mutant: ``killed``, ``survived`` or ``error``; by which test, or why not; and the seconds."""

    name: str
    fate: str
    by: str
    reason: str
    seconds: float


def of(control: Item) -> tuple[Mutant, ...]:
    """The mutants of a control, in the order of its item."""
    found: dict[str, Mutant] = {}
    for how in control.values.get("breaks", ()):
        if "not_applicable" in how:
            continue
        first = f"{control.id}:{how['way']}"
        count = sum(name.startswith(first) for name in found)
        name = f"{first}:{count + 1}" if count else first
        found[name] = Mutant(name, how)
    return tuple(found.values())


def write(graph: Graph, fates: Sequence[Fate]) -> None:
    """Replace ``.results/mutants.json`` of the checkout; controls that were not broken now keep their former fates."""
    former = read(graph.root) or {"controls": {}}
    broken = {fate.name.partition(":")[0] for fate in fates}
    known = {item.id for item in graph.items.of("control")}
    controls = {id_: seen for id_, seen in former["controls"].items() if id_ in known}
    for id_ in sorted(broken):
        own = [asdict(fate) for fate in fates if fate.name.startswith(f"{id_}:")]
        controls[id_] = {"on": _state(graph, id_), "mutants": own}
    surroundings = environment.describe(graph.root)
    head = {name: surroundings[name] for name in ("commit", "dirty", "tester", "system", "machine", "python")}
    text = json.dumps({"format": FORMAT, **head, "controls": dict(sorted(controls.items()))}, indent=1, sort_keys=True)
    file = graph.root / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{text}\n", encoding="utf-8")


def read(root: Path) -> dict[str, Any] | None:
    """What the latest ``trace mutate`` wrote, or None.

    Raises:
        ConfigurationError: the file is there but is not what ``trace mutate`` writes (``E-TRACE-MUTANTS``).
    """
    file = root / FILE
    if not file.is_file():
        return None
    try:
        seen: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        _ = {FORMAT: True}[seen["format"]], seen["controls"].items()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(
            "E-TRACE-MUTANTS",
            "The file of broken controls cannot be read, or another version wrote it.",
            remedy="Remove .results/mutants.json and run: trace mutate",
        ) from error
    return seen


def fates(root: Path) -> tuple[Fate, ...]:
    """The fates in the file, in its order; none where there is no file."""
    seen = read(root) or {"controls": {}}
    return tuple(Fate(**fate) for control in seen["controls"].values() for fate in control["mutants"])


def faults(graph: Graph, control: Item, seen: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the fates of one control in what :func:`read` gave."""
    known = seen["controls"].get(control.id)
    if known is None:
        yield "was not broken by the latest trace mutate"
        return
    if known["on"] != _state(graph, control.id):
        yield "was changed after trace mutate: itself, its tests or the source of the product"
    fates = {fate["name"]: fate for fate in known["mutants"]}
    for mutant in of(control):
        fate = fates.get(mutant.name)
        if fate is None:
            yield f"was not broken by the latest trace mutate ({mutant.name})"
        elif fate["fate"] == SURVIVED:
            yield f"no test turned red when it was broken ({mutant.name})"
        elif fate["fate"] != KILLED:
            yield f"no test could judge it broken ({mutant.name}: {fate['reason']})"


def _state(graph: Graph, control: str) -> dict[str, str]:
    """Digests of all that the fates of a control rest on."""
    tests = "".join(f"{test.nodeid} {test.source_sha256}\n" for test in graph.attackers_of(control))
    return {
        "code_sha256": environment.code_digest(graph.root),
        "control_sha256": stamp.of(graph.items.by_id[control]),
        "tests_sha256": stamp.of_values({"tests": tests}),
    }
