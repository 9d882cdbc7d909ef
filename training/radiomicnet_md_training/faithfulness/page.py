# SPDX-License-Identifier: Apache-2.0
"""The measurements as a section in Markdown: what was done, what came out, nothing left out.

Rules of this module:

- Pure: the same numbers give the same bytes. A number that does not exist is printed as "none".
- The only share of the evidence that is printed is the centred one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from radiomicnet_md.radiomics.definitions import BY_KEY, PAPER
from radiomicnet_md_training.faithfulness.gradients import STATED
from radiomicnet_md_training.faithfulness.study import KINDS

_EDITS = {
    "deletion": "deletion, strongest name",
    "deletion_other": "deletion, a name at random",
    "insertion": "insertion, strongest name",
    "insertion_other": "insertion, a name at random",
}


def page(found: dict[str, Any]) -> str:
    """The section; ``found`` is ``study.measure``'s, with ``gradients`` (percent by name) where they were taken."""
    parts = (_head, _pixels, _frozen, _regions, _shapley, _importances, _edited)
    return "\n\n".join(part(found) for part in parts) + "\n"


def _head(found: dict[str, Any]) -> str:
    summary = found["summary"]
    return (
        "## Faithfulness\n\n"
        f"{summary['cases']} images, {summary['lesions']} of them with a lesion; what is usual was taken from "
        f"{found['training_images']} training images (counted once a fold). {found['notice'].capitalize()}."
    )


def _pixels(found: dict[str, Any]) -> str:
    summary = found["summary"]
    complete, sure, share = (summary[key] for key in ("completeness", "certified", "centred_share"))
    rows = [
        ("pixels whose evidence is not bias + contributions + rest", f"{complete['unequal']} of {complete['pixels']}"),
        ("certified: pixels whose sign the rest cannot change", _number(sure["overall"])),
        (
            f"… within 3 pixels of the mask's border ({sure['band_cases']} images), pixels pooled",
            _number(sure["band"]),
        ),
        ("… the same, mean over images", _number(sure["band_mean"])),
        ("centred share of the logit's variance, mean over images", _number(share["mean"])),
        ("… smallest and largest", f"{_number(share['smallest'])} … {_number(share['largest'])}"),
        ("largest mean of a table over training pixels, logits", _number(found["off_centre"])),
    ]
    return "### The pixel layer\n\n" + _table(("measured", "found"), rows)


def _frozen(found: dict[str, Any]) -> str:
    image, training = (found["summary"][key] for key in ("frozen_image", "frozen_training"))
    texts = {
        "sign": "pixels of the same sign",
        "correlation": "correlation of the logits",
        "correlation_without_rest": "correlation without the rest",
        "dice": "Dice with the decision",
        "truth": "Dice with the truth",
        "truth_decided": "Dice of the decision itself with the truth",
    }
    rows = [(text, _number(image.get(key)), _number(training.get(key))) for key, text in texts.items()]
    return (
        "### Gates frozen\n\n"
        "The gate of each name and scale is replaced by one number, so that the tables alone tell pixels apart. "
        "What is lost against 1 is the gates' part in finding the lesion, which no table explains. Means over images "
        "with a lesion.\n\n" + _table(("", "mean of the image", "mean of training"), rows)
    )


def _regions(found: dict[str, Any]) -> str:
    counts = found["summary"]["counterfactuals"]
    return (
        "### Counterfactuals of the region layer\n\n"
        f"{counts['swaps']} times one named value of a recorded region was exchanged, "
        f"every value of every such region in {found['summary']['cases']} images; after {counts['changed']} of "
        f"them another set of regions was chosen. Scores other than foretold by the record: {counts['wrong_score']}. "
        f"Choices other than foretold: {counts['wrong_choice']}."
    )


def _shapley(found: dict[str, Any]) -> str:
    summary = found["summary"]
    groups, exact, told = summary["groups"], summary["exact"], summary["told_usual"]
    rows = [
        (name, _number(groups["mean"][name]), _number(groups["strength"][name]), _number(groups["percent"].get(name)))
        for name in groups["mean"]
    ]
    return (
        "### Shapley values of the gate path\n\n"
        f"With all thirteen values at their training means, {_number(told.get('flipped'))} of the pixels change sign "
        f"and the decision keeps a Dice of {_number(told.get('dice'))} with itself (means over images with a lesion). "
        f"The values therefore explain {_number(groups['explained'])} logits a lesion pixel of "
        f"{_number(groups['evidence'])} (mean magnitudes, {groups['cases']} lesions): the difference from the usual "
        "image, not the evidence itself. "
        f"Sums other than that difference: {groups['incomplete']} of {groups['cases']} by group, "
        f"{exact['incomplete']} of {exact['cases']} by value.\n\n"
        + _table(("group", "mean, logits", "mean magnitude, logits", "percent of magnitudes"), rows)
    )


def _importances(found: dict[str, Any]) -> str:
    exact, gradients = found["summary"]["exact"], found.get("gradients", {})
    rows = [
        (
            BY_KEY[name].name,
            _number(exact["percent"].get(name), 2),
            _number(gradients.get(name), 2),
            _number(STATED.get(name), 2),
        )
        for name in PAPER
    ]
    return (
        f"Value by value: exact Shapley values over all 8,192 coalitions ({exact['cases']} lesions), the gradient of "
        "the loss by each value on this network, and what the paper states of its own; percent of the sum of "
        "magnitudes. The gradient needs the truth and looks at one point; it explains no decision.\n\n"
        + _table(("value", "Shapley", "gradient", "gradient, the paper's"), rows)
    )


def _edited(found: dict[str, Any]) -> str:
    edits, contest = found["summary"]["edits"], found["summary"]["top_fell_more"]
    header = (
        "edit",
        "moved",
        "same sign, name",
        "same sign, whole",
        "rank correlation",
        "claimed",
        "foretold",
        "name",
        "whole",
    )
    rows = [
        (
            _EDITS[kind],
            f"{edits[kind]['nearer']} of {edits[kind]['cases']}",
            f"{edits[kind]['own_same_sign']} of {edits[kind]['nearer']}",
            f"{edits[kind]['same_sign']} of {edits[kind]['nearer']}",
            *(_number(edits[kind][key]) for key in ("rank_correlation", "claimed", "foretold", "own", "whole")),
        )
        for kind in KINDS
    ]
    return (
        "### Editing the image\n\n"
        "The picture is edited so that one name comes nearer to the usual inside the region (deletion), or beside it "
        "nearer to what it is inside (insertion), and the whole device runs again. Changes are means in logits a "
        "pixel: what the record claims for a name that becomes usual, what it foretells for the edit as far as it got, "
        "what the name's contribution did, what the whole evidence did. Signs and ranks are those of the claim. An "
        "edit moves more than one name.\n\n"
        + _table(header, rows)
        + f"\n\nDeleting the strongest name lowered the evidence more than deleting one at random in {contest['won']} "
        f"of {contest['cases']} lesions in which the two edits differ."
    )


def _number(value: float | None, digits: int = 3) -> str:
    return "none" if value is None else f"{value:.{digits}f}"


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
