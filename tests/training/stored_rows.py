# SPDX-License-Identifier: Apache-2.0
"""Stored rows and parts of a page for the tests of the results: made up, sixty cases in fifty groups."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from radiomicnet_md_training import recipe
from radiomicnet_md_training.results import page, read

RECIPE = Path(__file__).resolve().parents[2] / "training" / "recipes" / "locked.yaml"
CASES, NORMALS, FOLDS = 60, 12, 3
REGION = ("exact", "named", "named and network", "network", "oracle")
Lines = list[dict[str, Any]]


def lines(level: float, decisions: tuple[str, ...], seeds: tuple[int, ...]) -> Lines:
    """Scores of 60 cases in 50 groups about a level; some lesions missed, some normals with a region."""
    out = []
    for number, decision in enumerate(decisions):
        for seed in seeds:
            rng = np.random.Generator(np.random.PCG64([number, seed, round(1000 * level)]))
            for case in range(CASES):
                lesion, luck = case >= NORMALS, rng.random()
                found = int(luck > 0.08) if lesion else int(luck > 0.7)
                dice = float(np.clip(rng.normal(level, 0.12), 0.02, 0.99)) if found else 0.0
                right = dice if lesion else float(not found)
                out.append(
                    {
                        "decision": decision,
                        "seed": seed,
                        "fold": case % 50 % FOLDS,
                        "id": f"case_{case:03d}",
                        "group": f"g{case % 50:02d}",
                        "kind": ("normal" if not lesion else ("benign", "malignant")[case % 3 == 0]),
                        "lesion": int(lesion),
                        "found": found,
                        **dict.fromkeys(("dice", "iou", "precision", "recall", "nsd"), f"{right:.6f}"),
                        "hd95": f"{(0 if right == 1 else 20 if right else 400):.6f}",
                        "presence": f"{rng.normal(2 if lesion else -1):.6f}",
                        "certified": f"{rng.uniform(0.9, 1):.6f}" if decision == "exact" else "",
                        "named": f"{rng.uniform(0.7, 1.1):.6f}" if decision == "exact" else "",
                    }
                )
    return out


def judged(error: float) -> dict[str, Any]:
    """Calibration of some pixels."""
    rows = [
        {"low": i / 5, "high": (i + 1) / 5, "count": 100, "probability": (i + 0.5) / 5, "frequency": i / 5}
        for i in range(5)
    ]
    errors = {"equal_width": error, "equal_mass": error, "confidence": error / 2}
    return {"pixels": 500, **errors, "equal_width_rows": rows, "equal_mass_rows": rows}


def store(folder: Path, name: str, told: Lines, base: str = "locked", folds: int = FOLDS) -> None:
    """A stored row as ``evaluate --results`` leaves it."""
    at = folder / name
    at.mkdir(parents=True)
    seeds = sorted({line["seed"] for line in told})
    settings = recipe.read(RECIPE)[0].model_dump(mode="json")
    settings |= {"name": name, "folds": {"count": FOLDS, "seeds": seeds}}
    settings["network"] = {"kind": base, "options": {"rho": 0.0} if name == "rho-0" else {}}
    settings["region"] = settings["region"] if "named" in {line["decision"] for line in told} else None
    units = [(seed, fold) for seed in seeds for fold in range(folds)]
    about = {"seconds": 90.0, "device": "cpu", "machine": "x86_64", "code_sha256": "c" * 64}
    run = {
        "recipe": settings,
        "recipe_sha256": "a" * 64,
        "data_files_sha256": "b" * 64,
        "parameters": 305_000,
        "software": {"python": "3.11.0", "torch": "2.0"},
        "units": [{"seed": seed, "fold": fold, **about} for seed, fold in units],
    }
    scaled = {region: {"before": judged(0.02), "after": judged(0.004)} for region in ("pooled", "band")}
    temperatures = [{"fold": fold, "temperature": 1.1, "at_limit": False} for fold in range(folds)]
    calibration = {
        "bins": 15,
        "band_pixels": 5.0,
        "cases": CASES,
        "seeds": [{"seed": seed, "temperature": 1.1, "folds": temperatures, **scaled} for seed in seeds],
    }
    (at / "run.json").write_text(json.dumps(run))
    (at / "calibration.json").write_text(json.dumps(calibration))
    write(at / "cases.csv", told)
    curve = [
        {"seed": s, "fold": f, "epoch": e, "loss": f"{1 / e:.6f}", "held_out_dice": "" if e % 2 else f"{0.1 * e:.6f}"}
        for s, f in units
        for e in range(1, 7)
    ]
    write(at / "curve.csv", curve)


def write(path: Path, rows: Lines) -> None:
    """A CSV file with a header."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def three(folder: Path) -> Path:
    """`locked`, the paper's preset with two seeds, and U-Net."""
    store(folder, "locked", lines(0.80, ("one view", "two views", *REGION), (1,)))
    store(folder, "paper", lines(0.70, ("one view", "two views"), (1, 2)), "paper")
    store(folder, "unet", lines(0.65, ("one view", "two views"), (1,)), "unet")
    return folder


def text(stored: Path) -> str:
    """The page without pictures."""
    rows = read.rows(stored)
    return page.page(page.Stored(rows, read.not_run(stored), read.tried(stored), None, None, None, None, ()))


def section(made: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading."""
    part = made.split(f"{heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in part.splitlines() if line.startswith("| ")]
    return [line.strip("| ").split(" | ") for line in rows]


def edit(path: Path, change: Callable[[Lines], Lines]) -> None:
    """Change the lines of a stored cases.csv."""
    with path.open(newline="", encoding="utf-8") as stream:
        kept: Lines = list(csv.DictReader(stream))
    write(path, change(kept))
