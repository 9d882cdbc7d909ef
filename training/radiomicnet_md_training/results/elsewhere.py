# SPDX-License-Identifier: Apache-2.0
"""The section on another hospital's images: every scored row and the device itself, misses and false regions too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from radiomicnet_md_training.results import known, summary, words
from radiomicnet_md_training.results.read import DEVICE, External, ExternalLine

Scored = tuple[External, Mapping[str, Sequence[ExternalLine]]]


def section(scored: Scored | None) -> str:
    """The section; empty where the set has not been opened."""
    if scored is None:
        return ""
    about, rows = scored
    lines = []
    for name, told in rows.items():
        some, networks = summary.averaged(told), len({(line.seed, line.fold) for line in told})
        lines.append(
            (
                f"**the device**, release {about.release['version']}" if name == DEVICE else title(name),
                known.DECISIONS[DEVICE] if name == DEVICE else known.DECISIONS[told[0].decision],
                str(networks),
                words.interval(summary.mean(some.lesions)),
                words.errors(summary.missed(some)),
                words.errors(summary.false_regions(some)),
            )
        )
    device = rows[DEVICE]
    some = summary.averaged(device)
    stopped = [line for line in device if line.stopped]
    unlike = sum("familiar" in line.stopped for line in stopped)
    header = ("row", "decision", "networks", "mean DSC [95 %]", "lesions missed", "normals with a false region")
    return (
        "## Another hospital\n\n"
        f"{about.name}: {some.count} images of {some.independent} patients, {some.lesions.count} with a lesion and "
        f"{some.normals.count} without, from other scanners; opened on {about.opened}, after every choice was made. No "
        "training, threshold or choice has seen it. Scores of several networks of a row are averaged image by image; "
        "rows of the small setting have one network that was trained on half the grid. Intervals draw patients, and "
        f"{some.independent} patients are few.\n\n"
        + words.table(header, lines, texts=3)
        + f"\n\nOf the {some.count} images the device's acceptance gate would have refused {unlike} as unlike those "
        f"that it was made from, and flagged the result of {len(stopped) - unlike} more; its row above holds them all."
    )


def title(name: str) -> str:
    """A row's name in print; a row of the small setting says so."""
    short = name.removeprefix(known.SMALL)
    return known.ROWS.get(short, f"`{short}`") + (", small setting" if short != name else "")
