# SPDX-License-Identifier: Apache-2.0
"""``release``: what would run, and whether it is what its maker signed."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any

from radiomicnet_md.commands.call import Call
from radiomicnet_md.errors import ExitCode, IntegrityError

MODEL_CARD = "model_card.json"
_EXAMPLE = """\
examples:
  radiomicnet-md release show
  radiomicnet-md release verify --release path/to/release
"""


def arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add the verbs of the release."""
    parser.epilog = _EXAMPLE
    verbs = parser.add_subparsers(dest="release_verb", required=True, metavar="VERB", parser_class=type(parser))
    verbs.add_parser("show", parents=[shared], help="what the signed manifest says")
    verbs.add_parser("verify", parents=[shared], help="compare every byte with the signed manifest")


def run(call: Call) -> int:
    """Verify the release, then show it or say that it holds."""
    from radiomicnet_md.engine import release as releases

    settings = call.settings()
    folder = settings.release or releases.default_folder()
    try:
        release = releases.open_release(folder, keys=releases.trusted_keys(*settings.release_keys))
    except IntegrityError as problem:
        if call.given.release_verb == "show":
            raise
        line = {"ok": False, "path": str(folder), "code": problem.code, "text": str(problem)}
        call.console.emit(line, f"NOT OK  {problem} [{problem.code}]\n        → {problem.remedy}")
        return ExitCode.INTEGRITY
    about = {"path": str(folder), "manifest_sha256": release.manifest_sha256, "keyid": release.keyid}
    if call.given.release_verb == "verify":
        size = sum(len(data) for data in release.files.values())
        text = f"OK  {release.id} {release.version}: {len(release.files)} files, {size:,} bytes, as signed"
        line = {"ok": True, **about, "id": release.id, "version": release.version, "files": len(release.files)}
        call.console.emit(line, text)
        return ExitCode.OK
    listed = release.manifest["files"].items()
    files = [f"  {entry['sha256'][:16]}…  {entry['size']:>9,}  {name}" for name, entry in listed]
    said = {**about, **{name: value for name, value in release.manifest.items() if name != "files"}}
    rows = [f"{name:<16} {value}" for name, value in said.items()]
    card = json.loads(release.files[MODEL_CARD]) if MODEL_CARD in release.files else {}
    text = "\n".join([*rows, "files", *files, *_card(card)])
    call.console.emit({**release.manifest, **about, "model_card": card}, text)
    return ExitCode.OK


def _card(card: Mapping[str, Any]) -> list[str]:
    """The model card's figures and limits in words; nothing where the release has no card."""
    if not card:
        return []
    seen = card["validation"]
    return [
        "model card",
        f"  {card['notice']}",
        f"  intended use     {card['intended_use']}",
        f"  parameters       {card['parameters']['total']:,}",
        f"  {seen['split']}, {seen['lesion_images']} images with a lesion",
        f"    mean Dice      {seen['lesion_mean_dice']:.3f}{_interval(seen)}, misses as 0",
        f"    median Dice    {seen['lesion_median_dice']:.3f}",
        f"    of plain z ≥ 0 {seen['lesion_mean_dice_fixed_threshold']:.3f}, for comparison",
        f"    no lesion said {seen['lesions_answered_no_lesion']} times, wrongly",
        f"  {seen['split']}, {seen['normal_images']} images without a lesion",
        f"    no lesion said {seen['normals_answered_no_lesion']} times, rightly",
        "  must not be used for",
        *(f"    {limit}" for limit in card["must_not_be_used_for"]),
    ]


def _interval(seen: Mapping[str, Any]) -> str:
    """The mean's 95 % interval, where the cases bear one."""
    limits = seen.get("lesion_mean_dice_interval")
    return "" if not isinstance(limits, list) else f" [{limits[0]:.3f}, {limits[1]:.3f}]"
