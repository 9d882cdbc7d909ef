# SPDX-License-Identifier: Apache-2.0
"""The page of the changed images: where answers hold, where the gate refuses, and where neither is the case.

Rules of this module:

- Everything on it follows from what was kept; nothing is decided here.
- What breaks and is not noticed stands before the tables, in bold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from radiomicnet_md.review import canvas, palette
from radiomicnet_md_validation.campaigns import COLOURS, paragraph
from radiomicnet_md_validation.statistics import clopper_pearson

_WHAT = """
Each image is changed and given to the shipped release through its own gate. Dice is of the answer to the changed image,
carried back, against the answer to the image as it was: the device against itself. The network has seen these real
images (splits train and val made the release), which flatters them; test images are not used. A Dice below {broken} is
called broken; an answer that is neither refused nor flagged is unnoticed.
"""
_LIMITS = """
The declared limits are this suite's: the range in which a mean Dice of at least {holds} is claimed. The gate of the
release knows nothing of them. It judges what an image is like (`acceptance.json`), not what was done to it, and so it
refuses beyond a limit only where the change also makes the image unfamiliar.
"""
_READ = """
refused and flagged count images; Dice is the mean of the answers, the lowest in brackets; the changes are medians over
the answers of |after − before| / |before|: of the thirteen values of the image, of the region's named values and of
PyRadiomics' values of the lesion, each the median of its group and the value that changed most.
"""


def body(found: Mapping[str, Any]) -> list[str]:
    """Lines below the page's head."""
    kinds = found["kinds"]
    return [
        *paragraph(f"{_cases(found)} {_WHAT.format(**found)}"),
        "## Declared limits, and what the gate does beyond them",
        "",
        *paragraph(_LIMITS.format(**found)),
        *_verdicts(found),
        "",
        *_let_through(kinds),
        *_unnoticed(found),
        "![Dice over the strength of each change](quantities/robustness.png)",
        "",
        "## Every strength",
        "",
        *paragraph(_READ),
        *(line for name, kind in kinds.items() for line in _table(name, kind)),
    ]


def _cases(found: Mapping[str, Any]) -> str:
    drawn = sum(name.startswith("phantom") for name in found["cases"])
    real = len(found["cases"]) - drawn
    out = "".join(f"; left out: {name} ({why})" for name, why in found["left_out"].items())
    phantoms = f"{drawn} phantom{'s' if drawn > 1 else ''}"
    return f"{phantoms} and {real} images of BUSI (split val){out}. So few cases show tendencies, not rates."


def split(kind: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """The strengths within the declared limits, and those beyond."""
    return [one for one in kind["levels"] if one["declared"]], [one for one in kind["levels"] if not one["declared"]]


def holds(kind: Mapping[str, Any], least: float) -> bool:
    """Whether every strength within the limits keeps the mean Dice that is claimed, and breaks nothing."""
    return all(one["mean"] is not None and one["mean"] >= least and not one["broken"] for one in split(kind)[0])


def _sum(levels: Sequence[Mapping[str, Any]], name: str) -> int:
    return sum(int(one[name]) for one in levels)


def _verdicts(found: Mapping[str, Any]) -> Iterator[str]:
    yield "| change | declared limits | within: lowest mean Dice | within: refused, broken | holds |"
    yield "|---|---|---|---|---|"
    for name, kind in found["kinds"].items():
        within = split(kind)[0]
        low, high = kind["limits"]
        means = [one["mean"] for one in within if one["mean"] is not None]
        least = f"{min(means):.3f}" if means else "—"
        of = _sum(within, "n")
        told = "yes" if holds(kind, found["holds"]) else "**no**"
        counts = f"{_sum(within, 'refused')}, {_sum(within, 'broken')} of {of}"
        yield f"| {name} | {low:g} … {high:g} {kind['unit']} | {least} | {counts} | {told} |"
    yield ""
    yield "| change | beyond the limits: strengths | refused | flagged | broken | **broken and unnoticed** | of |"
    yield "|---|---|---|---|---|---|---|"
    for name, kind in found["kinds"].items():
        beyond = split(kind)[1]
        told = ", ".join(f"{one['strength']:g}" for one in beyond)
        sums = " | ".join(str(_sum(beyond, key)) for key in ("refused", "flagged", "broken", "unnoticed", "n"))
        yield f"| {name} | {told} | {sums} |"


def _let_through(kinds: Mapping[str, Any]) -> list[str]:
    """Which limits the gate does not know, in words."""
    never = [name for name, kind in kinds.items() if not _sum(split(kind)[1], "refused")]
    always = [name for name, kind in kinds.items() if _sum(split(kind)[1], "refused") == _sum(split(kind)[1], "n")]
    return paragraph(
        f"""Beyond its limits always refused: {_list(always)}. Never refused: {_list(never)}. Of these, and of the
        strengths between, the gate is no guard: **the declared limits are not enforced**, and the values of an image
        that passes may have moved far, as the tables below show."""
    )


def _list(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _unnoticed(found: Mapping[str, Any]) -> list[str]:
    """The negative finding, in words."""
    kinds = found["kinds"]
    missed = [
        (f"{name} {one['strength']:g} ({one['unnoticed']} of {one['n']})", one["declared"])
        for name, kind in kinds.items()
        for one in kind["levels"]
        if one["unnoticed"]
    ]
    if not missed:
        count = len(found["cases"])
        most = getattr(clopper_pearson(0, count), "high", 1.0)
        return paragraph(
            f"""No change broke an answer without being refused or flagged. With {count} images that excludes little: up
            to {most:.0%} of images could have such a change (95 %, Clopper and Pearson)."""
        )
    within, beyond = (_list([told for told, declared in missed if declared is wanted]) for wanted in (True, False))
    return paragraph(
        f"""**Known limit: the gate does not refuse every change that breaks the outline.** Broken and neither refused
        nor flagged: within the declared limits {within}; beyond them {beyond}. Such an outline is not the one that the
        unchanged image would have been given, and nothing says so."""
    )


def _table(name: str, kind: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {name[0].upper()}{name[1:]} ({kind['unit']})"
    yield ""
    yield "| strength | refused | flagged | Dice | broken | image | region | lesion |"
    yield "|---|---|---|---|---|---|---|---|"
    for one in kind["levels"]:
        mark = "" if one["declared"] else ", beyond"
        why = f" ({', '.join(f'`{code}`' for code in one['codes'])})" if one["codes"] else ""
        score = "—" if one["mean"] is None else f"{one['mean']:.3f} ({one['low']:.3f})"
        changes = " | ".join(_change(one["changes"][group]) for group in ("image", "region", "lesion"))
        yield (
            f"| {one['strength']:g}{mark} | {one['refused']} of {one['n']}{why} | {one['flagged']} | {score} |"
            f" {one['broken']} | {changes} |"
        )
    yield ""


def _change(one: Mapping[str, Any]) -> str:
    if one["median"] is None:
        return "—"
    return f"{one['median']:.1%}; {one['worst']} {one['of_worst']:.0%}"


def picture(found: Mapping[str, Any]) -> bytes:
    """Mean Dice, share of refusals and unnoticed breaks over the strength of each kind of change."""
    figure = canvas.new_figure(1100, 620)
    for place, (name, kind) in enumerate(found["kinds"].items()):
        axes = figure.add_subplot(2, 4, place + 1)
        levels = kind["levels"]
        ticks = range(len(levels))
        answered = [(tick, one["mean"]) for tick, one in zip(ticks, levels, strict=True) if one["mean"] is not None]
        within = [tick for tick, one in zip(ticks, levels, strict=True) if one["declared"]]
        axes.axvspan(min(within) - 0.4, max(within) + 0.4, color=palette.RULE, alpha=0.6, label="declared limits")
        axes.plot(*zip(*answered, strict=True), color=COLOURS[0], marker="o", label="mean Dice of answers")
        for key, colour, mark, dash in (
            ("refused", COLOURS[1], "s", "--"),
            ("unnoticed", COLOURS[6], "X", ":"),
        ):
            shares = [one[key] / one["n"] for one in levels]
            told = "share refused" if key == "refused" else "share broken, unnoticed"
            axes.plot(ticks, shares, color=colour, marker=mark, linestyle=dash, label=told)
        axes.set_xticks(list(ticks), [f"{one['strength']:g}" for one in levels], fontsize=7)
        axes.set_ylim(-0.04, 1.04)
        axes.set_title(f"{name}, {kind['unit']}", loc="left", fontsize=9)
        axes.grid(axis="y", color=palette.RULE)
    figure.axes[0].legend(frameon=False, fontsize=7, loc="center left")
    figure.tight_layout()
    return canvas.png(figure)
