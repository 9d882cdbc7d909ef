# SPDX-License-Identifier: Apache-2.0
"""The source keeps the habits of the house: readable files, standing walls, dependencies declared and in use."""

from __future__ import annotations

import ast
import configparser
import importlib.metadata
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from radiomicnet_md_traceability import soup

pytestmark = pytest.mark.verifies("SRS-TRC-004")
ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "radiomicnet_md",
    "audit/radiomicnet_md_audit",
    "traceability/radiomicnet_md_traceability",
    "training/radiomicnet_md_training",
    "validation/radiomicnet_md_validation",
)
LONGEST_FILE = 400
LONGEST_FUNCTION = 60
# pydicom finds them; nothing here imports them
DECODERS = {"pyjpegls", "pylibjpeg", "pylibjpeg-openjpeg", "python-gdcm"}


def sources(*folders: str) -> list[Path]:
    return sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))


def committed() -> Iterator[Path]:
    """What the repository holds, or will hold: tracked files, and others that git does not ignore."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return (ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file())


@pytest.mark.parametrize(
    "file", sources(*PACKAGES, "tests", "benchmarks"), ids=lambda file: str(file.relative_to(ROOT))
)
def test_a_file_opens_with_licence_and_promise_and_can_be_read_in_one_sitting(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    lines = text.splitlines()
    tree = ast.parse(text)
    assert lines[0] == "# SPDX-License-Identifier: Apache-2.0"
    assert ast.get_docstring(tree), "a module opens with what it promises"
    assert len(lines) <= LONGEST_FILE
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    long = [node.name for node in functions if (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION]
    assert not long


def test_nothing_names_the_machine_it_was_written_on() -> None:
    absolute = re.compile(r"(?<![\w.>)}\]~*-])/(?:work|root|home|Users)/\w")
    named = []
    for file in committed():
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # weights and other bytes
        named += [f"{file.relative_to(ROOT)}: {match.group()}" for match in absolute.finditer(text)]
        if file.name != "Makefile" and file != Path(__file__):
            named += [f"{file.relative_to(ROOT)}: the data folder's place"] * ("../shared" in text)
    assert not named


def test_the_walls_stand() -> None:
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout


def test_every_module_has_a_floor() -> None:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    floors = set(re.findall(r"radiomicnet_md\.(\w+)", contracts["importlinter:contract:floors"]["layers"]))
    folder = ROOT / "radiomicnet_md"
    modules = {file.stem for file in folder.glob("*.py")} | {file.parent.name for file in folder.glob("*/__init__.py")}
    assert modules - {"__init__"} == floors


def _imported(*folders: str) -> set[str]:
    """The distributions whose modules are imported below the folders, anywhere in a file."""
    names: set[str] = set()
    for file in sources(*folders):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.partition(".")[0])
    owners = importlib.metadata.packages_distributions()
    found = {owner for name in names - sys.stdlib_module_names for owner in owners.get(name, [name])}
    packages = (Path(package).name for package in PACKAGES)
    ours = {"benchmarks", "deploy", "tests", *packages, "radiomicnet-md", "radiomicnet-md-audit"}
    return {soup.canonical_name(name) for name in found - ours}


def _declared(file: str) -> dict[str, set[str]]:
    project = tomllib.loads((ROOT / file).read_text(encoding="utf-8"))["project"]
    groups = {"": project.get("dependencies", []), **project.get("optional-dependencies", {})}
    return {group: {soup.requirement_name(line) for line in lines} for group, lines in groups.items()}


def test_each_import_is_a_declared_dependency_and_each_dependency_is_imported() -> None:
    groups = _declared("pyproject.toml")
    device = set[str]().union(*(groups[name] for name in groups.keys() - {"test", "training", "validation"}))
    imported = _imported("radiomicnet_md", "audit", "traceability", "validation")
    ours = {name for name in device if name.startswith("radiomicnet-md")}
    assert imported | DECODERS == (device - ours) | {"pytest"}  # the trace's plugin; of the extra `validation`
    assert "pytest" in groups["validation"]
    assert groups["training"] <= _imported("training") <= device | groups["training"]
    assert _imported("tests") <= device | groups["training"] | groups["test"]


def test_the_auditors_distribution_asks_for_two_libraries_and_its_store_for_sql() -> None:
    groups = _declared("audit/pyproject.toml")
    assert groups[""] == {"cryptography", "rfc8785"}
    assert "sqlalchemy" in groups["store"]


def test_both_distributions_have_one_version() -> None:
    versions = {
        tomllib.loads((ROOT / file).read_text(encoding="utf-8"))["project"]["version"]
        for file in ("pyproject.toml", "audit/pyproject.toml")
    }
    package = re.search(
        r'^__version__ = "(.+)"$', (ROOT / "radiomicnet_md/__init__.py").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert package is not None
    assert versions == {package.group(1)}


def test_the_wheel_carries_release_items_and_schemas(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, capture_output=True, check=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    releases = {
        file.relative_to(ROOT).as_posix()
        for file in (ROOT / "radiomicnet_md" / "releases").rglob("*")
        if file.is_file()
    }
    assert releases
    assert releases <= names
    for folder in ("requirements", "risks", "schema", "soup"):
        for file in (ROOT / "traceability" / folder).iterdir():
            assert f"radiomicnet_md_traceability/items/{folder}/{file.name}" in names
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {
        Path(package).name for package in PACKAGES if package != "audit/radiomicnet_md_audit"
    }
