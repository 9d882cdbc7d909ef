# SPDX-License-Identifier: Apache-2.0
"""The bill of materials holds what the lock file holds, is valid, and is the same every time."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from radiomicnet_md_traceability import graph, sbom, soup

pytestmark = pytest.mark.verifies("SRS-TRC-008")


@pytest.fixture(scope="module")
def seen(root: Path) -> graph.Graph:
    return graph.build(root, structure=True)


def test_every_locked_distribution_stands_in_it(seen: graph.Graph, root: Path) -> None:
    text = sbom.render(seen)
    assert text == sbom.render(seen)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    components = json.loads(text)["components"]
    libraries = {one["name"]: one for one in components if one["type"] == "library"}
    assert {name: one["version"] for name, one in libraries.items()} == soup.locked(root)
    for name, one in libraries.items():
        assert ("hashes" in one) == (soup.installed(name) == one["version"].partition("+")[0])
    for item in seen.items.of("soup"):
        one = libraries[soup.canonical_name(item.values["name"])]
        properties = {entry["name"]: entry["value"] for entry in one["properties"]}
        assert one["supplier"]["name"] == item.values["manufacturer"]
        assert properties["radiomicnet-md:support-checked"] == item.values["support"]["checked"]


def test_it_is_the_same_beside_the_backport_of_importlib_metadata(seen: graph.Graph, root: Path) -> None:
    """Dask imports the backport, which answers for the standard library from then on, in its own way."""
    program = (
        "import importlib_metadata, sys\nfrom pathlib import Path\n"
        "from radiomicnet_md_traceability import graph, sbom\n"
        "sys.stdout.write(sbom.render(graph.build(Path(sys.argv[1]), structure=True)))\n"
    )
    beside = subprocess.run(
        [sys.executable, "-c", program, str(root)], check=True, capture_output=True, encoding="utf-8"
    )
    assert beside.stdout == sbom.render(seen)


def test_the_weights_stand_in_it_with_their_card(seen: graph.Graph, root: Path) -> None:
    components = json.loads(sbom.render(seen))["components"]
    models = [one for one in components if one["type"] == "machine-learning-model"]
    folders = [
        folder for folder in (root / "radiomicnet_md" / "releases").iterdir() if (folder / "manifest.json").is_file()
    ]
    assert {one["version"] for one in models} == {folder.name for folder in folders}
    for one in models:
        weights = root / "radiomicnet_md" / "releases" / one["version"] / "weights.safetensors"
        assert one["hashes"][0]["content"] == hashlib.sha256(weights.read_bytes()).hexdigest()
        assert one["modelCard"]["considerations"]["technicalLimitations"]


def test_each_evaluated_anomaly_has_its_state(seen: graph.Graph) -> None:
    text = sbom.vex(seen)
    assert text == sbom.vex(seen)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    states = {one["id"]: one["analysis"]["state"] for one in json.loads(text)["vulnerabilities"]}
    for item in seen.items.of("soup"):
        for entry in item.values["anomalies"]["entries"]:
            open_ = entry["affects"] and "mitigation" not in entry
            assert states[f"{item.id}/{entry['id']}"] == ("exploitable" if open_ else "not_affected")
