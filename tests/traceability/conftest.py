# SPDX-License-Identifier: Apache-2.0
"""A small checkout in which no rule is broken; each test breaks one thing in it."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from radiomicnet_md_traceability import collect, command, environment, load, mutants, results, stamp

_NODEID = "tests/test_part.py::test_holds"
_ATTACK = "tests/test_attack.py::test_breaks"
_ITEMS: Mapping[str, dict[str, Any]] = {
    "requirements/need.yaml": {
        "id": "UN-ABC-001",
        "title": "A need",
        "text": "Somebody needs something.",
        "rationale": "Because of this.",
    },
    "requirements/system.yaml": {
        "id": "SYS-ABC-001",
        "title": "A system requirement",
        "text": "The system shall do something.",
        "rationale": "Because of that.",
        "parents": ["UN-ABC-001"],
    },
    "requirements/software.yaml": {
        "id": "SRS-ABC-001",
        "title": "A software requirement",
        "text": "The part shall return one.",
        "measure": "It returns 1.",
        "rationale": "Because of the other.",
        "type": "safety",
        "parents": ["SYS-ABC-001"],
        "risk_controls": ["RC-001"],
        "verification": {"method": "test", "level": "unit"},
    },
    "risks/hazards.yaml": {
        "id": "HAZ-001",
        "title": "A hazard",
        "hazard": "wrong information",
        "sequence": ["one thing happens", "then another"],
        "situation": "Somebody relies on it.",
        "harm": "Somebody is hurt.",
        "initial": {"severity": 4, "probability": 3},
        "controls": ["RC-001"],
        "residual": {"severity": 4, "probability": 1, "rationale": "The control was tested."},
    },
    "risks/controls.yaml": {
        "id": "RC-001",
        "title": "A control",
        "text": "It returns one.",
        "kind": "inherent",
        "implements": ["SRS-ABC-001"],
        "code": ["part:Part.one"],
        "breaks": [{"way": way, "symbol": "part:Part.one", "return": "2"} for way in mutants.WAYS],
    },
    "requirements/design.yaml": {
        "id": "SDS-ABC-001",
        "title": "A design",
        "text": "One part returns one.",
        "satisfies": ["SYS-ABC-001"],
        "modules": ["part"],
        "code": ["part:Part.one"],
    },
    "requirements/labelling.yaml": {
        "id": "LBL-001",
        "title": "A label",
        "text": "The instructions shall warn.",
        "rationale": "People read them.",
        "parents": ["SYS-ABC-001"],
        "phrases": ["Beware of the part"],
    },
    "risks/threats.yaml": {
        "id": "THR-001",
        "title": "A threat",
        "stride": "tampering",
        "flow": "part to part",
        "attack": "Somebody changes the part.",
        "effect": "The part returns two.",
        "exploitability": "low",
        "controls": ["RC-001"],
        "verified_by": ["SRS-ABC-001"],
        "hazards": ["HAZ-001"],
        "residual": "Nothing that is known.",
    },
    "risks/anomalies.yaml": {
        "id": "ANO-001",
        "title": "An anomaly",
        "found_in": "version 1",
        "description": "It is slow on Mondays.",
        "impact": "People wait a moment.",
        "hazards": ["HAZ-001"],
        "decision": "defer",
        "rationale": "Nobody works on Mondays.",
        "security": "None that is known.",
    },
    "acceptance/object.yaml": {
        "id": "AC-ONE-01",
        "title": "An acceptance object",
        "statistic": "mean of ones",
        "estimator": "lower bound",
        "criterion": ">= 0.5",
        "population": "all of them",
        "n_required": 10,
        "why_n": "Because ten are enough.",
        "missing": "counts as zero",
        "verified_by": ["SRS-ABC-001"],
    },
    "acceptance/platform.yaml": {
        "id": "PLT-001",
        "title": "Here",
        "system": platform.system(),
        "machine": platform.machine(),
        "python": [".".join(platform.python_version_tuple()[:2])],
        "accelerator": "none",
        "listed": True,
        "rationale": "It is this machine.",
    },
    "checklists/rows.yaml": {
        "id": "CHK-ABC-1",
        "title": "A clause",
        "document": "A standard",
        "evidence": ["SRS-ABC-001"],
    },
    "soup/pyyaml.yaml": {
        "id": "SOUP-PYYAML",
        "name": "pyyaml",
        "manufacturer": "PyYAML",
        "version": yaml.__version__,
        "licence": "MIT",
        "source": "https://github.com/yaml/pyyaml",
        "scope": "device",
        "purpose": "Reads items.",
        "requirements": ["Reads YAML safely."],
        "needs": ["Python"],
        "verified_by": ["SRS-ABC-001"],
        "class": "A",
        "hazards": ["HAZ-001"],
        "support": {"level": "active", "checked": "2026-11-23"},
        "anomalies": {"source": "https://github.com/yaml/pyyaml/issues", "reviewed": "2026-11-23", "entries": []},
    },
}


@dataclass(frozen=True)
class Tree:
    """The small checkout, with what a test needs to break it."""

    root: Path

    def item(self, name: str, change: Callable[[dict[str, Any]], object]) -> None:
        """Change one item file in place; SOUP.md is left as it was."""
        file = self.root / "traceability" / name
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
        change(values)
        file.write_text(yaml.safe_dump(values), encoding="utf-8")

    def write(self, name: str, text: str) -> None:
        """Write one file below the root."""
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def results(self, lines: Sequence[Mapping[str, Any]], **head: object) -> None:
        """Write the file of latest results: these lines, and the plugin's head with some fields changed."""
        items = load.load(self.root / "traceability").of("software")
        ordered = sorted(lines, key=lambda line: line["nodeid"])
        known = {"run": "2026-11-23T08:00:00Z", **environment.describe(self.root), "commit": "0" * 40, "dirty": False}
        known |= {"tests": len(lines), "accelerator": "none", "stamps": {item.id: stamp.of(item) for item in items}}
        self.write(str(results.LATEST), "".join(json.dumps(row) + "\n" for row in ({**known, **head}, *ordered)))

    def line(self, nodeid: str = _NODEID, outcome: str = "passed", reason: str = "", **more: object) -> dict[str, Any]:
        """One line of results, as the plugin writes it."""
        sources = {test.nodeid: test.source_sha256 for test in collect.tests(self.root)}
        line = {
            "nodeid": nodeid,
            "outcome": outcome,
            "reason": reason,
            "ids": ["SRS-ABC-001"],
            "expected": "It returns 1.",
            "actual": [],
            "files": [],
        }
        return {**line, "source_sha256": sources.get(nodeid.partition("[")[0], ""), **more}

    def outcomes(self, *lines: tuple[str, str, str]) -> None:
        """Write results from (node id, outcome, reason); the test that attacks the control passed."""
        self.results([*(self.line(*line) for line in lines), self.line(_ATTACK)])


@pytest.fixture
def tree(tmp_path: Path, root: Path) -> Tree:
    tree = Tree(tmp_path)
    for name, values in _ITEMS.items():
        tree.write(f"traceability/{name}", yaml.safe_dump(values))
    tree.item("acceptance/object.yaml", lambda item: item.update(sha256=stamp.of_values(item)))
    tree.write("docs/regulatory/ifu.md", "# Instructions\n\nBeware of\nthe part.\n")
    shutil.copytree(root / "traceability" / "schema", tmp_path / "traceability" / "schema")
    tree.write("pyproject.toml", '[project]\nname = "small"\ndependencies = ["PyYAML>=6", "radiomicnet-md-audit==1"]\n')
    tree.write("audit/pyproject.toml", '[project]\nname = "small-audit"\n')
    tree.write("requirements/lock-py311.txt", f"# locked\nPyYAML=={yaml.__version__}\nother==1.0\n")
    tree.write("part.py", "class Part:\n    def one(self):\n        return 1\n")
    tree.write(
        "tests/test_part.py",
        'import pytest\n\n\n@pytest.mark.verifies("SRS-ABC-001")\ndef test_holds():\n    assert True\n',
    )
    tree.write(
        "tests/test_attack.py",
        'import pytest\n\n\n@pytest.mark.verifies("SRS-ABC-001", rc=("RC-001",))\ndef test_breaks(): pass\n',
    )
    tree.outcomes((_NODEID, "passed", ""))
    command.write_pages(tmp_path)
    return tree
