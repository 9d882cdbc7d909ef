# SPDX-License-Identifier: Apache-2.0
"""The reference of the names that programs of others may use, from their signatures and docstrings.

Rules of this module:

- ``PUBLIC`` is the promise: what it names is kept from one version to the next, or its change stands in the changelog.
  Everything else is the house's own. A name that is not in the source ends the writing of the page.
- The source is read by ``ast``; nothing is imported.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

PAGE = "docs/reference/api.md"
PUBLIC: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "Measure": {
        "radiomicnet_md/radiomics/__init__.py": ("dense", "lesion"),
        "radiomicnet_md/radiomics/per_lesion.py": ("Lesion",),
        "radiomicnet_md/radiomics/levels.py": ("discretise", "Levels"),
    },
    "Read files": {
        "radiomicnet_md/io/opening.py": ("read", "Reader"),
        "radiomicnet_md/io/studies.py": ("expand",),
        "radiomicnet_md/io/inputs.py": ("Input",),
        "radiomicnet_md/io/source.py": ("Reading",),
        "radiomicnet_md/image.py": ("Image", "Identity"),
    },
    "Decide": {
        "radiomicnet_md/opening.py": ("open_desk",),
        "radiomicnet_md/desk.py": ("segment_file", "segment_files", "Answer"),
        "radiomicnet_md/decision.py": ("Decision", "Region"),
    },
    "Verify": {
        "audit/radiomicnet_md_audit/bundle.py": ("verify_bundle",),
        "audit/radiomicnet_md_audit/verify.py": ("Report", "Claim", "Finding"),
        "audit/radiomicnet_md_audit/policy.py": ("parse", "Policy"),
    },
    "Score": {
        "validation/radiomicnet_md_validation/metrics.py": ("score", "Scores", "dice", "iou", "nsd", "hd95"),
        "validation/radiomicnet_md_validation/statistics.py": (
            "bca",
            "clopper_pearson",
            "auc",
            "Interval",
            "Inconclusive",
        ),
    },
    "Fail": {
        "audit/radiomicnet_md_audit/errors.py": ("Problem", "ExitCode"),
    },
}
_HEAD = """\
# From Python

Written from signatures and docstrings by `python -m radiomicnet_md_traceability docs`; change these, not this page.
What is named here is kept from one version to the next, or its change stands in the [changelog](../../CHANGELOG.md);
everything else is the house's own. How the first of them are used:
[measure radiomic values and maps](../how-to/measure-features.md). The [command line](cli.md) and the
[formats](../../audit/FORMAT.md) are the other two ways in.
"""
_LONG = 96
_MARKS = re.compile(
    r"(`[^`]*`)|((?<![\w`])[^\s`,;()]*[<>*_|\[\]\\][^\s`,;()]*)"
)  # code, or what Markdown would read as marks
_Named = ast.FunctionDef | ast.ClassDef


def page(root: Path) -> str:
    """The whole page."""
    lines = [_HEAD]
    for heading, files in PUBLIC.items():
        lines.append(f"## {heading}\n")
        for file, names in files.items():
            body = ast.parse((root / file).read_text(encoding="utf-8")).body
            found = {node.name: node for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
            for name in names:
                lines += _entry(_module(file), found[name])
    return "\n".join(lines)


def _module(file: str) -> str:
    """The dotted name of a file: the folder that holds a package's code and papers is no part of it."""
    parts = Path(file).with_suffix("").parts
    return ".".join(part for part in parts[not parts[0].startswith("radiomicnet_md") :] if part != "__init__")


def _entry(module: str, node: _Named) -> Iterator[str]:
    yield f"### {node.name}\n"
    yield f"`{module}.{node.name}`\n"
    if isinstance(node, ast.FunctionDef):
        yield f"    {_signature(node)}\n"
    else:
        fields = [f"    {ast.unparse(one)}" for one in node.body if isinstance(one, ast.AnnAssign | ast.Assign)]
        if fields:
            yield "\n".join(fields) + "\n"
    yield from _told(node)
    methods = (one for one in node.body if isinstance(one, ast.FunctionDef)) if isinstance(node, ast.ClassDef) else ()
    for method in methods:
        if not method.name.startswith("_"):
            yield f"#### {node.name}.{method.name}\n"
            if not _is_property(method):
                yield f"    {_signature(method)}\n"
            yield from _told(method)


def _is_property(node: ast.FunctionDef) -> bool:
    return any(isinstance(one, ast.Name) and one.id == "property" for one in node.decorator_list)


def _signature(node: ast.FunctionDef) -> str:
    given = re.sub(r"^(?:self|cls)(?:, )?", "", ast.unparse(node.args))
    gives = "" if node.returns is None else f" -> {ast.unparse(node.returns)}"
    line = f"{node.name}({given}){gives}"
    if len(line) <= _LONG:
        return line
    return "\n        ".join((f"{node.name}(", *(f"{one}," for one in _apart(given)))) + f"\n    ){gives}"


def _apart(given: str) -> Iterator[str]:
    """Parameters one by one: a comma within brackets parts none."""
    depth = start = 0
    for at, letter in enumerate(given):
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            yield given[start:at]
            start = at + 2
    yield given[start:]


def _told(node: _Named) -> Iterator[str]:
    """The docstring's paragraphs; parameters and what is raised as lists."""
    for block in (ast.get_docstring(node) or "").split("\n\n"):
        listed = re.sub(r"^(?:Raises|Returns|Args|Yields):\n", "", block)
        items = re.split(r"\n(?=:)", block) if block.startswith(":") else re.split(r"\n(?=    \S)", f"\n{listed}")[1:]
        if not items or (not block.startswith(":") and listed == block):
            yield f"{_words(block)}\n"
            continue
        if listed != block:
            yield f"{block.partition(':')[0]}:\n"
        yield "\n".join(f"- {_words(_item(item))}" for item in items) + "\n"


def _item(text: str) -> str:
    """``:param x: words`` and ``Name: words`` as a list has them."""
    text = re.sub(r"^:raises ([^:]+): ", r"raises `\1`: ", text.strip())
    return re.sub(r"^:\w+ ([^:]+): ", r"`\1`: ", text).replace(":returns: ", "gives: ")


def _words(text: str) -> str:
    plain = re.sub(r"(?::\w+:)?`+~?([^`]+)`+", r"`\1`", " ".join(text.split()))
    return _MARKS.sub(lambda found: found[1] or f"`{found[2]}`", plain)
