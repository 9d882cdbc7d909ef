# SPDX-License-Identifier: Apache-2.0
"""The model card and the data sheet, from the signed files of each release and the signed record of its performance.

Rules of this module:

- What a release says stays in its words. What was learned after it was signed stands apart, for it may overtake them.
- Every figure stands beside the number of cases that it is of, and is rounded, never changed.
- What a release does not say is not on the page.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RELEASES = Path("radiomicnet_md") / "releases"
PERFORMANCE = Path("validation") / "recorded" / "performance.json"


def card(root: Path) -> Iterator[str]:
    """The lines of the model card, a section a release, newest first."""
    for folder in releases(root):
        seen, manifest = _read(folder / "model_card.json"), folder / "manifest.json"
        yield f"## {seen['name']} {seen['version']}\n"
        yield f"*{seen['notice']}.* Files and their digests: `{manifest.relative_to(root).as_posix()}`.\n"
        yield f"**Intended use.** {seen['intended_use']}.\n"
        yield "**Must not be used for**\n"
        yield from (f"- {text}" for text in seen["must_not_be_used_for"])
        yield f"\n**Data.** {seen['data']}. Label noise: {seen['label_noise']}.\n"
        counts = seen["parameters"]
        yield (
            f"**Size.** {counts['total']:,} parameters: {counts['pixel_layer']:,} in the pixel layer, which proposes, "
            f"and {counts['region_layer']:,} in the region layer, which decides.\n"
        )
        yield "**Performance**\n"
        yield from _performance(seen["validation"])
        yield f"\nOf what: {seen['validation_of']}.\n"
        yield "**Not done**\n"
        yield from (f"- {text}" for text in seen["not_done"])
        yield ""
        yield from _learned(root, manifest)
    yield (
        "More: [results](../../reference/results.md), [what is refused](../../reference/out-of-domain.md), [why this "
        "variant ships](../../adr/0010-which-variant-ships.md). The outline follows a draft guidance "
        "([status](../regulatory_status.md))."
    )


def _performance(seen: dict[str, Any]) -> Iterator[str]:
    lesions, normals = int(seen["lesion_images"]), int(seen["normal_images"])
    low, high = seen["lesion_mean_dice_interval"]
    rows = (
        ("mean Dice, a miss counts as 0", f"{seen['lesion_mean_dice']:.3f} [{low:.3f}, {high:.3f}]", lesions),
        ("median Dice", f"{seen['lesion_median_dice']:.3f}", lesions),
        ("mean IoU", f"{seen['lesion_mean_iou']:.3f}", lesions),
        ('lesions answered "no lesion found"', seen["lesions_answered_no_lesion"], lesions),
        ('normal images answered "no lesion found"', seen["normals_answered_no_lesion"], normals),
    )
    yield f"| {seen['split']} | value [95 %] | n |"
    yield "|---|---|---|"
    yield from (f"| {name} | {value} | {n} |" for name, value, n in rows)
    yield (
        f"\nShare of the pixels' evidence that is named: {seen['mean_named_share_of_logit_variance']:.3f} of its "
        f"variance; share of pixels that the unnamed rest cannot change: {seen['mean_certified_share']:.3f} "
        f"(means over {lesions + normals} images)."
    )


def _learned(root: Path, manifest: Path) -> Iterator[str]:
    """What the closed test split said of this release, where it was opened for it."""
    record = root / PERFORMANCE
    if not record.is_file():
        return
    seen = json.loads(base64.b64decode(_read(record)["payload"]))
    if seen["release"]["manifest_sha256"] != hashlib.sha256(manifest.read_bytes()).hexdigest():
        return
    yield f"**Learned after it was signed.** The test split was opened, once, by record: {seen['verdict']}.\n"
    for one in seen["acceptance"]:
        value = f"{float(one['value']):.3f}, bound {float(one['bound']):.3f} (demanded {one['criterion']})"
        yield f"- {one['title']}: {value}, n = {one['n']}: {one['verdict']}"
    yield "\nAll figures: [performance](../../reference/performance.md).\n"


def sheet(root: Path) -> Iterator[str]:
    """The lines of the data sheet, a section a release, newest first."""
    for folder in releases(root):
        seen, written = _read(folder / "training_record.json"), _read(folder / "model_card.json")
        recipe, cases = seen["recipe"], seen["training_cases"]
        kinds = Counter(str(case).partition("_")[0] for case in cases)
        folds, optimiser = recipe["folds"], recipe["optimiser"]
        yield f"## {written['name']} {written['version']}\n"
        yield "| question | answer |"
        yield "|---|---|"
        yield f"| Which data? | {written['data']} |"
        listed = ", ".join(f"{kind} {number}" for kind, number in sorted(kinds.items()))
        yield f"| How many images taught the network? | {len(cases)} ({listed}, by the names of the cases) |"
        yield f"| Of which bytes? | SHA-256 over all files: `{seen['training_files_sha256']}` |"
        grouped = "by group of duplicates" if folds["grouped"] else "by image"
        yield f"| How were they divided? | {folds['count']} folds {grouped}, seeds {_words(folds['seeds'])} |"
        yield f"| How good are the drawn outlines? | {written['label_noise']} |"
        yield f"| What was done to the images? | {_preprocessing(recipe['preprocessing'])} |"
        yield f"| From which start? | {seen['weights']} |"
        yield (
            f"| How was it trained? | {optimiser['epochs']} epochs, batch {optimiser['batch']}, rate "
            f"{optimiser['rate']}, decay {optimiser['decay']}, loss {optimiser['loss']}; last value "
            f"{seen['loss_curve'][-1]} |"
        )
        yield f"| With what? | {', '.join(f'{name} {version}' for name, version in sorted(seen['software'].items()))} |"
        yield f"| Which run? | SHA-256 `{seen['run_sha256']}`, recipe {recipe['name']} {recipe['version']} |"
        yield from (f"| What is not known or not done? | {text} |" for text in written["not_done"])
        yield ""
        yield from _learned(root, folder / "manifest.json")
    yield (
        "Age, origin, scanner and density of the breast are not given image by image: no figure for any such group can "
        "be given, and none is claimed. The names of all cases stand in `training_record.json` of the release."
    )


def releases(root: Path) -> list[Path]:
    """The folders of the releases that ship, newest first."""
    found = (file.parent for file in (root / RELEASES).glob("*/model_card.json"))
    return sorted(found, key=lambda folder: tuple(map(int, folder.name.split("."))), reverse=True)


def _preprocessing(seen: dict[str, Any]) -> str:
    scales = [f"radius {one['radius']}" + (", relative" if one["relative"] else "") for one in seen["scales"]]
    mirrored = "; both an image and its mirror image are asked" if seen["mirrored"] else ""
    return f"named maps at {len(scales)} scales ({'; '.join(scales)}){mirrored}"


def _words(values: list[int]) -> str:
    return ", ".join(map(str, values))


def _read(file: Path) -> Any:  # noqa: ANN401 - what JSON may be
    return json.loads(file.read_text(encoding="utf-8"))
