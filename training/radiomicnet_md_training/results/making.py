# SPDX-License-Identifier: Apache-2.0
"""How each row was made and how it is made again: commands, time and device of training, digests and versions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from radiomicnet_md_training.results.read import Row
from radiomicnet_md_training.results.words import number, table

SHOWN = 12  # hexadecimal digits of a digest


def commands() -> str:
    """What to type to make every file behind this page again, and the page."""
    return """## How to make it again

```sh
python -m radiomicnet_md_training train RECIPE --data DATA --out RUNS
python -m radiomicnet_md_training evaluate RECIPE --data DATA --out RUNS --results training/results
python -m radiomicnet_md_training tables training/results --out docs/reference
```

RECIPE is `training/recipes/ROW.yaml`; the networks of others are trained and evaluated in the same way with
`python -m benchmarks.networks` in place of `python -m radiomicnet_md_training`. DATA holds `images/`, `masks/` and
`splits.csv` ([layout](../how-to/train-your-own.md)). The last command reads `training/results` alone and gives the
same bytes again."""


def training(rows: Mapping[str, Row], pictures: Sequence[str]) -> str:
    """Epochs, time and device of every row."""
    lines = []
    for name, row in rows.items():
        recipe, spent = row.run.recipe, [unit.seconds for unit in row.run.units]
        start = f" after those of `{recipe.network.start}`" if recipe.network.start else ""
        lines.append(
            (
                f"`{name}`",
                f"{recipe.optimiser.epochs}{start}",
                _all(unit.device for unit in row.run.units),
                f"{len({unit.fold for unit in row.run.units})} × {len(recipe.folds.seeds)}",
                number(sum(spent) / len(spent) / 60, 1),
                number(sum(spent) / 60, 1),
            )
        )
    header = ("row", "epochs", "device", "folds × seeds = n", "minutes a training, mean", "minutes in all")
    picture = "\n\n![Held-out DSC while training](results/curves.png)" if "curves.png" in pictures else ""
    return (
        "## Training time\n\n"
        "Wall time of training alone, one thread a training on a processor. Several may have run at the same time, two "
        "dozen on a GPU, so these are no benchmark. Forward passes are in bfloat16 under autocast on either, TF32 is "
        "off; rows trained on a GPU were measured, scored and calibrated on its machine.\n\n"
        + table(header, lines, texts=3)
        + picture
    )


def provenance(rows: Mapping[str, Row]) -> str:
    """Beginnings of the SHA-256 of recipe, data and code, and versions."""
    lines = [
        (
            f"`{name}`",
            row.run.recipe.version,
            f"`{row.run.recipe_sha256[:SHOWN]}`",
            f"`{row.run.data_files_sha256[:SHOWN]}`",
            _all(f"`{unit.code_sha256[:SHOWN]}`" for unit in row.run.units),
            "; ".join(sorted({_versions(unit.software or row.run.software) for unit in row.run.units})),
        )
        for name, row in rows.items()
    ]
    header = ("row", "version", "recipe", "data files", "code that trained", "software")
    return "## What each row was made from\n\n" + table(header, lines, texts=len(header))


def _all(texts: Iterable[str]) -> str:
    return ", ".join(sorted(set(texts)))


def _versions(software: Mapping[str, str]) -> str:
    return ", ".join(f"{key} {value}" for key, value in sorted(software.items()))
