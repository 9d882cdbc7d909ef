# SPDX-License-Identifier: Apache-2.0
"""What software of others is in the device, in which version, and what is known to be wrong with it.

``SOUP.md`` is written from the items in ``traceability/soup/`` and from the lock files, never by hand. Versions
are compared without their local part: ``2.13.0+cpu`` is a build of ``2.13.0``.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from radiomicnet_md_traceability.load import Item

DOCUMENT = "SOUP.md"
_OURS = "radiomicnet-md"
_PREAMBLE = """\
Written from `traceability/soup/*.yaml` and the lock files by `python -m radiomicnet_md_traceability docs`;
change the items, not this page. Fields follow IEC 62304, 5.3.3, 5.3.4, 7.1.2, 7.1.3 and 8.1.2. *In the device* is what
runs where decisions are made; the rest never runs there.
"""


def canonical_name(name: str) -> str:
    """A distribution's name as the package index compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirement_name(requirement: str) -> str:
    """The name in a requirement such as ``torch==2.13.0`` or ``radiomicnet-md-audit[store]==0.1.0``."""
    return canonical_name(re.split(r"[\s\[<>=!~;]", requirement, maxsplit=1)[0])


def declared(root: Path) -> frozenset[str]:
    """The direct dependencies of both distributions, extras included, except our own."""
    found: set[str] = set()
    for file in (root / "pyproject.toml", root / "audit" / "pyproject.toml"):
        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        groups = [project.get("dependencies", []), *project.get("optional-dependencies", {}).values()]
        found.update(requirement_name(requirement) for group in groups for requirement in group)
    return frozenset(name for name in found if not name.startswith(_OURS))


def locks(root: Path) -> list[Path]:
    """The lock files: the one that a release binds, and one for what never computes a decision."""
    return sorted((root / "requirements").glob("lock-*.txt"))


def locked(root: Path) -> Mapping[str, str]:
    """Name to version of every line of the lock files."""
    lines = [line for lock in locks(root) for line in lock.read_text(encoding="utf-8").splitlines()]
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonical_name(name): version for name, version in pairs}


def installed(name: str) -> str | None:
    """The version in this environment without its local part; None where it is not installed."""
    try:
        return importlib.metadata.version(name).partition("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return None


def document(root: Path, items: tuple[Item, ...]) -> str:
    """The text of ``SOUP.md``."""
    digests = {lock.name: hashlib.sha256(lock.read_bytes()).hexdigest() for lock in locks(root)}
    direct = {canonical_name(str(item.values["name"])) for item in items}
    rest = [f"{name} {version}" for name, version in sorted(locked(root).items()) if name not in direct]
    parts = [
        "# Software of unknown provenance (SOUP)\n",
        _PREAMBLE,
        *(f"Lock: `requirements/{name}`, SHA-256 `{digest}`.\n" for name, digest in digests.items()),
        *_tables(items),
        *(_section(item) for item in items),
        "## What these bring along\n",
        "Indirect dependencies, at the locked versions; they are covered by the tests of the item that needs them.\n",
        ", ".join(rest) + ".\n",
    ]
    return "\n".join(parts)


def _tables(items: tuple[Item, ...]) -> Iterator[str]:
    titles = {"device": "In the device", "training": "To make the model", "test": "To test and to build"}
    for scope, title in titles.items():
        yield f"## {title}\n"
        yield "| Item | Version | Licence | Class | Support | Anomalies that concern us |"
        yield "|---|---|---|---|---|---|"
        for item in items:
            values = item.values
            if values["scope"] == scope:
                affecting = [entry["id"] for entry in values["anomalies"]["entries"] if entry["affects"]]
                yield (
                    f"| [{values['name']}](#{item.id.lower()}) | {values['version']} | {values['licence']} "
                    f"| {values['class']} | {values['support']['level']} | {', '.join(affecting) or 'none known'} |"
                )
        yield ""


def _section(item: Item) -> str:
    values = item.values
    support, anomalies = values["support"], values["anomalies"]
    lines = [
        f'## <a id="{item.id.lower()}"></a>{values["name"]} {values["version"]}\n',
        f"{item.id} · {values['manufacturer']} · {values['licence']} · <{values['source']}>\n",
        str(values["purpose"]).strip() + "\n",
        *(f"- Must: {text}" for text in values["requirements"]),
        *(f"- Needs: {text}" for text in values["needs"]),
        f"- Verified by: {_list(values['verified_by'])}",
        f"- Hazards if it fails: {_list(values['hazards'])}",
        f"- Support: {support['level']}, checked {support['checked']}. {support.get('note', '')}".rstrip(),
        f"- Published anomalies: <{anomalies['source']}>, reviewed {anomalies['reviewed']}",
        *(_anomaly(entry) for entry in anomalies["entries"]),
        "",
    ]
    return "\n".join(lines)


def _anomaly(entry: Mapping[str, Any]) -> str:
    verdict = "concerns us" if entry["affects"] else "does not concern us"
    mitigation = f" Mitigation: {entry['mitigation']}" if "mitigation" in entry else ""
    return f"  - {entry['id']} ({verdict}): {entry['why']}{mitigation}"


def _list(ids: list[str]) -> str:
    return ", ".join(ids) or "none"
