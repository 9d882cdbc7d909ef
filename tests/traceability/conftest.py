# SPDX-License-Identifier: Apache-2.0
"""A small checkout in which no rule is broken; each test breaks one thing in it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from radiomicnet_md_traceability import command, results

_NODEID = "tests/test_part.py::test_holds"
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

    def outcomes(self, *lines: tuple[str, str, str]) -> None:
        """Write the file of latest results from (node id, outcome, reason)."""
        head = {"run": "2026-11-23T08:00:00Z"}
        rows = [{"nodeid": nodeid, "outcome": outcome, "reason": reason} for nodeid, outcome, reason in lines]
        self.write(str(results.LATEST), "".join(json.dumps(row) + "\n" for row in (head, *rows)))


@pytest.fixture
def tree(tmp_path: Path, root: Path) -> Tree:
    tree = Tree(tmp_path)
    for name, values in _ITEMS.items():
        tree.write(f"traceability/{name}", yaml.safe_dump(values))
    shutil.copytree(root / "traceability" / "schema", tmp_path / "traceability" / "schema")
    tree.write("pyproject.toml", '[project]\nname = "small"\ndependencies = ["PyYAML>=6", "radiomicnet-md-audit==1"]\n')
    tree.write("audit/pyproject.toml", '[project]\nname = "small-audit"\n')
    tree.write("requirements/lock-py311.txt", f"# locked\nPyYAML=={yaml.__version__}\nother==1.0\n")
    tree.write("part.py", "class Part:\n    def one(self):\n        return 1\n")
    tree.write(
        "tests/test_part.py",
        'import pytest\n\n\n@pytest.mark.verifies("SRS-ABC-001")\ndef test_holds():\n    assert True\n',
    )
    tree.outcomes((_NODEID, "passed", ""))
    command.write_soup(tmp_path)
    return tree
