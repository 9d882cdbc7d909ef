# SPDX-License-Identifier: Apache-2.0
"""The bill of materials (CycloneDX 1.6): every locked distribution with its hash, the weights with their model card.

Rules of this module:

- The same lock file, items, release and environment give the same bytes: no clock, no random serial number.
- A hash is over what is installed: SHA-256 of the sorted lines of the distribution's ``RECORD`` that carry a digest. A
  distribution that is not installed has none, and says so.
- Supplier, support and known anomalies come from the SOUP items; an indirect dependency has none of them.
- A known anomaly that does not concern us is ``not_affected``; one that does is ``not_affected`` by its mitigation, and
  ``exploitable`` where there is none. These are anomalies of function; vulnerabilities need a network and are a gap.

Needs the package ``cyclonedx-python-lib`` of the extra ``evidence``.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import tomllib
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from radiomicnet_md_audit.errors import ConfigurationError
from radiomicnet_md_traceability import environment, soup
from radiomicnet_md_traceability.graph import Graph
from radiomicnet_md_traceability.load import Item

_OWN = "radiomicnet-md:"


def render(graph: Graph) -> str:
    """The bill of materials as JSON.

    Raises:
        ConfigurationError: cyclonedx-python-lib is not installed (``E-TRACE-SBOM``).
    """
    return _written(graph, vex=False)


def vex(graph: Graph) -> str:
    """The evaluated anomalies of SOUP as a VEX in CycloneDX 1.6; it refers to the components of the bill.

    Raises:
        ConfigurationError: as above.
    """
    return _written(graph, vex=True)


def _written(graph: Graph, *, vex: bool) -> str:
    try:
        from cyclonedx.model.bom import Bom
        from cyclonedx.output.json import JsonV1Dot6
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "E-TRACE-SBOM",
            "A bill of materials needs the package cyclonedx-python-lib.",
            remedy='Install "radiomicnet-md[evidence]".',
        ) from error
    items = {soup.canonical_name(str(item.values["name"])): item for item in graph.items.of("soup")}
    bom = Bom()
    bom.metadata.component = _product(graph.root)
    components = {name: _component(name, v, items.get(name)) for name, v in sorted(soup.locked(graph.root).items())}
    if vex:
        bom.vulnerabilities.update(one for name, item in items.items() for one in _anomalies(name, item, components))
        bom.components.update(components[name] for name in items if name in components)
    else:
        bom.components.update([*components.values(), *_models(graph.root)])
    bom.register_dependency(bom.metadata.component, bom.components)
    text = JsonV1Dot6(bom).output_as_string()
    seed = environment.digest(soup.locks(graph.root)) + ("vex" if vex else "sbom")
    return _settled(graph.root, json.loads(text), seed)


def _settled(root: Path, values: dict[str, Any], seed: str) -> str:
    """The same document without the hour at which it was written, and with what the library does not write."""
    values["metadata"].pop("timestamp", None)
    values["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, seed)}"
    cards = _cards(root)
    for component in values.get("components", []):
        if component["type"] == "library":
            component["purl"] = f"pkg:pypi/{component['name']}@{component['version']}"
        elif component["version"] in cards:
            component["modelCard"] = _model_card(cards[component["version"]])
    return json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _product(root: Path) -> Any:  # noqa: ANN401 - cyclonedx is imported where it is needed
    from cyclonedx.model.component import Component, ComponentType

    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return Component(
        type=ComponentType.APPLICATION,
        name=project["name"],
        version=project.get("version", "0"),
        bom_ref=project["name"],
        description=project.get("description"),
        hashes=_hashes(environment.code_digest(root)),
    )


def _component(name: str, version: str, item: Item | None) -> Any:  # noqa: ANN401 - as above
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.contact import OrganizationalEntity
    from cyclonedx.model.license import DisjunctiveLicense

    values: Mapping[str, Any] = {} if item is None else item.values
    digest = installed_digest(name, version)
    support = values.get("support", {})
    properties = {
        "hash-of": "sorted RECORD lines with a digest" if digest else "not installed where this was written",
        "scope": values.get("scope", "indirect"),
        "support-level": support.get("level", "as the item that needs it"),
        "support-checked": support.get("checked", ""),
        "end-of-support": "not announced" if support.get("level") in {"active", "maintenance"} else "",
        "safety-class": values.get("class", ""),
    }
    licence = values.get("licence") or _licence(name)
    return Component(
        type=ComponentType.LIBRARY,
        name=name,
        version=version,
        bom_ref=f"{name}=={version}",
        supplier=OrganizationalEntity(name=str(values["manufacturer"])) if values else None,
        licenses=[DisjunctiveLicense(name=licence)] if licence else None,
        hashes=_hashes(digest) if digest else None,
        properties=[Property(name=_OWN + key, value=str(value)) for key, value in properties.items() if value],
    )


def installed_digest(name: str, version: str) -> str:
    """SHA-256 over the installed files' own digests; empty where this version is not installed."""
    if soup.installed(name) != version.partition("+")[0]:
        return ""
    files = importlib.metadata.files(name) or []
    lines = sorted(f"{file.as_posix()},{file.hash.mode}={file.hash.value}" for file in files if file.hash is not None)
    kept = [line for line in lines if not line.startswith("..") and ".dist-info/" not in line]
    return hashlib.sha256("\n".join(kept).encode("utf-8")).hexdigest()


def _licence(name: str) -> str:
    try:
        known = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
    text = next((str(known[field]) for field in ("License-Expression", "License") if field in known), "")
    return text.splitlines()[0][:80] if text else ""


def _hashes(digest: str) -> list[Any]:
    from cyclonedx.model import HashAlgorithm, HashType

    return [HashType(alg=HashAlgorithm.SHA_256, content=digest)]


def _models(root: Path) -> Iterator[Any]:
    """The weights of each release that ships."""
    from cyclonedx.model.component import Component, ComponentType

    for name, card in _cards(root).items():
        folder = root / "radiomicnet_md" / "releases" / name
        yield Component(
            type=ComponentType.MACHINE_LEARNING_MODEL,
            name=f"weights of release {name}",
            version=name,
            bom_ref=f"weights=={name}",
            description=str(card.get("intended_use", "")),
            hashes=_hashes(hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()),
        )


def _cards(root: Path) -> dict[str, dict[str, Any]]:
    """The model card of each release that ships, by the release's name."""
    files = sorted((root / "radiomicnet_md" / "releases").glob("*/model_card.json"))
    return {file.parent.name: json.loads(file.read_text(encoding="utf-8")) for file in files}


def _model_card(said: Mapping[str, Any]) -> dict[str, Any]:
    """A release's model card in the words of CycloneDX, which the library does not write."""
    plain = {key: value for key, value in sorted(said.items()) if isinstance(value, str | int)}
    return {
        "modelParameters": {"task": "segmentation", "modelArchitecture": str(said.get("name", ""))},
        "considerations": {
            "useCases": [str(said.get("intended_use", ""))],
            "technicalLimitations": [
                str(text) for key in ("must_not_be_used_for", "not_done") for text in said.get(key, [])
            ],
        },
        "properties": [{"name": _OWN + key, "value": str(value)} for key, value in plain.items()],
    }


def _anomalies(name: str, item: Item, components: Mapping[str, Any]) -> Iterator[Any]:
    from cyclonedx.model.impact_analysis import ImpactAnalysisJustification, ImpactAnalysisState
    from cyclonedx.model.vulnerability import BomTarget, Vulnerability, VulnerabilityAnalysis

    for entry in item.values["anomalies"]["entries"]:
        mitigated = "mitigation" in entry
        state = (
            ImpactAnalysisState.EXPLOITABLE if entry["affects"] and not mitigated else ImpactAnalysisState.NOT_AFFECTED
        )
        why = (
            ImpactAnalysisJustification.PROTECTED_BY_MITIGATING_CONTROL if mitigated
            else None if entry["affects"] else ImpactAnalysisJustification.CODE_NOT_REACHABLE
        )  # fmt: skip
        detail = f"{entry['why']} {entry.get('mitigation', '')}".strip()
        yield Vulnerability(
            bom_ref=f"{item.id}/{entry['id']}",
            id=f"{item.id}/{entry['id']}",
            description=str(entry["why"]),
            analysis=VulnerabilityAnalysis(state=state, justification=why, detail=detail),
            affects=[BomTarget(ref=components[name].bom_ref.value)] if name in components else None,
        )
