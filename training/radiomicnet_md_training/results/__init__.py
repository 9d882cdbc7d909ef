# SPDX-License-Identifier: Apache-2.0
"""The results page and its pictures, made from stored rows and from nothing else, the same bytes every time."""

from __future__ import annotations

from pathlib import Path

from radiomicnet_md.errors import ConfigurationError
from radiomicnet_md_training.results import page, plots, read, shapes
from radiomicnet_md_training.results.known import APART


def tables(results: Path, out: Path) -> None:
    """Write ``out/results.md`` and ``out/results/*.png`` from the rows stored below ``results``.

    Raises:
        ConfigurationError: E-RESULTS-NONE, no row is stored there; E-RESULTS-NOT-RUN; E-PICTURES.
        InputError: E-RESULTS-TORN, a stored file is torn; E-RESULTS-CASES, rows differ in their cases.

    """
    rows = read.rows(results) if results.is_dir() else {}
    if not rows:
        raise ConfigurationError(
            "E-RESULTS-NONE",
            f"no row is stored in {results.name}",
            remedy="evaluate a recipe with --results first",
        )
    read.same_cases(row for name, row in rows.items() if not name.startswith(tuple(APART)))
    for start in APART:
        read.same_cases(row for name, row in rows.items() if name.startswith(start))
    decided = read.measured(results / "locked" / read.TABLES)
    pictures = plots.pictures(rows) | (shapes.pictures(decided) if decided is not None else {})
    stored = page.Stored(
        rows,
        read.not_run(results),
        read.tried(results),
        read.measured(results / "faithfulness.json"),
        read.measured(results / "hippocampus" / "run.json"),
        read.external(results),
        read.measured(results / "quantised.json"),
        tuple(pictures),
    )
    text = page.page(stored)
    (out / "results").mkdir(parents=True, exist_ok=True)
    for old in (out / "results").glob("*.png"):
        old.unlink()  # a picture that the rows no longer give
    for name, content in pictures.items():
        (out / "results" / name).write_bytes(content)
    (out / "results.md").write_text(text, encoding="utf-8")
