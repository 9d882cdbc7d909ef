# SPDX-License-Identifier: Apache-2.0
"""``release``: what would run, whether it is what its maker signed, and how a maker makes and calls back one."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radiomicnet_md.commands.call import Call
from radiomicnet_md.engine import runners
from radiomicnet_md.errors import ConfigurationError, ExitCode, IntegrityError, UsageError

if TYPE_CHECKING:
    from radiomicnet_md.engine.release import Release
    from radiomicnet_md_audit.sign import SigningKey

MODEL_CARD = "model_card.json"
_EXAMPLE = """\
examples:
  radiomicnet-md release show
  radiomicnet-md release verify --release path/to/release
  radiomicnet-md release verify --reference --second-engine
  radiomicnet-md release build runs/locked/candidate --out releases --key release_key.pem
  radiomicnet-md release revoke --release releases/1.2.0 --reason "misses small lesions" --key release_key.pem \\
    --list revoked.json

The release key is an encrypted PKCS#8 Ed25519 key; its passphrase is asked for, or read from the file that
RADIOMICNET_MD_KEY_PASSPHRASE_FILE names. A signed list of revoked releases is in force where it lies beside the
release or as revoked.json in a home.
"""
_DIFFERS = "Two implementations disagree: decide nothing with this release here, and report it with this line."


def arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add the verbs of the release."""
    parser.epilog = _EXAMPLE
    verbs = parser.add_subparsers(dest="release_verb", required=True, metavar="VERB", parser_class=type(parser))
    verbs.add_parser("show", parents=[shared], help="what the signed manifest says")
    verify = verbs.add_parser("verify", parents=[shared], help="compare every byte with the signed manifest")
    verify.add_argument("--reference", action="store_true", help="also ask the numpy reference; some ten seconds")
    verify.add_argument("--second-engine", action="store_true", help="also ask the second engine")
    build = verbs.add_parser("build", parents=[shared], help="lock a candidate, prove its bounds, write and sign")
    build.add_argument("candidate", type=Path, metavar="CANDIDATE", help="the folder that training left")
    build.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the folder <version> is made")
    build.add_argument(
        "--engine",
        choices=runners.NAMES,
        default=runners.COMPILED,
        help="what runs the network on the device; the bits are the same (default: %(default)s)",
    )
    keys = build.add_mutually_exclusive_group(required=True)
    keys.add_argument("--key", type=Path, metavar="FILE", help="the release key, encrypted")
    keys.add_argument("--demonstration", action="store_true", help="a key made for this signature and thrown away")
    revoke = verbs.add_parser("revoke", parents=[shared], help="add the release to a signed list of revoked ones")
    revoke.add_argument("--reason", required=True, metavar="TEXT", help="what is wrong with it, for its users")
    revoke.add_argument("--key", type=Path, required=True, metavar="FILE", help="the release key, encrypted")
    revoke.add_argument("--list", type=Path, required=True, metavar="FILE", help="the list, new or to be extended")


def run(call: Call) -> int:
    """Do what the verb says."""
    verbs = {"show": _show, "verify": _verify, "build": _build, "revoke": _revoke}
    return verbs[call.given.release_verb](call)


def _show(call: Call) -> int:
    """What the manifest and the model card say."""
    release = _opened(call)
    about = _about(release)
    listed = release.manifest["files"].items()
    files = [f"  {entry['sha256'][:16]}…  {entry['size']:>9,}  {name}" for name, entry in listed]
    said = {**about, **{name: value for name, value in release.manifest.items() if name != "files"}}
    rows = [f"{name:<16} {value}" for name, value in said.items()]
    card = json.loads(release.files[MODEL_CARD]) if MODEL_CARD in release.files else {}
    text = "\n".join([*rows, "files", *files, *_card(card)])
    call.console.emit({**release.manifest, **about, "model_card": card}, text)
    return ExitCode.OK


def _verify(call: Call) -> int:
    """Every byte, then the other implementations that are asked for; a line each."""
    try:
        release = _opened(call)
    except IntegrityError as problem:
        line = {
            "ok": False,
            "path": str(_folder(call)),
            "code": problem.code,
            "text": str(problem),
            "remedy": problem.remedy,
        }
        call.console.emit(line, f"NOT OK  {problem} [{problem.code}]\n        → {problem.remedy}")
        return ExitCode.INTEGRITY
    size = sum(len(data) for data in release.files.values())
    text = f"OK  {release.id} {release.version}: {len(release.files)} files, {size:,} bytes, as signed"
    about = {**_about(release), "id": release.id, "version": release.version, "files": len(release.files)}
    call.console.emit({"ok": True, **about}, text)
    if not (call.given.reference or call.given.second_engine):
        return ExitCode.OK
    from radiomicnet_md.engine import crosscheck

    asked = {"reference": call.given.reference, "second-engine": call.given.second_engine}
    checks = {"reference": crosscheck.reference, "second-engine": crosscheck.second_engine}
    differing = 0
    for by in (by for by, wanted in asked.items() if wanted):
        for found in crosscheck.compare(release, by, checks[by]):
            differing += bool(found.difference)
            line = {"ok": not found.difference, "by": by, "input": found.input, "difference": found.difference}
            text = f"NOT OK  {by}: {found.input} differs: {found.difference} [E-RELEASE-DIFFERS]\n        → {_DIFFERS}"
            call.console.emit(line, text if found.difference else f"OK  {by}: {found.input}")
    return ExitCode.INTEGRITY if differing else ExitCode.OK


def _build(call: Call) -> int:
    """From a candidate to a signed release."""
    from radiomicnet_md.engine import building, candidate
    from radiomicnet_md_audit import sign

    given = call.given
    read = candidate.read(given.candidate)
    key = sign.generate() if given.demonstration else _key(given.key)
    call.console.note(f"locking {read.id} {read.version}: scales, bounds, tables, known answers")
    try:
        release = building.build(read, given.out.absolute(), key, given.engine)
    except OSError as error:
        raise _unwritable(error) from error
    card, largest = json.loads(release.files[MODEL_CARD]), building.largest_sum(release)
    line = {**_about(release), "id": release.id, "version": release.version, "largest_sum": largest}
    text = (
        f"built  {release.id} {release.version} in {release.folder}\n"
        f"key    {release.keyid}\nbound  largest sum {largest:,} < 2**24\ncard   {card['notice']}"
    )
    call.console.emit(line, text)
    return ExitCode.OK


def _revoke(call: Call) -> int:
    """Name the release in a signed list; what the list held stays in it."""
    from datetime import UTC, datetime

    from radiomicnet_md.engine import revocation
    from radiomicnet_md.private import write_private

    given, settings = call.given, call.settings()
    if settings.release is None:
        raise UsageError("E-USAGE-RELEASE", "Which release is revoked?", remedy="Name its folder with --release.")
    release, key = _opened(call), _key(given.key)
    listed = revocation.read(given.list, {key.public.keyid: key.public})
    date = datetime.now(UTC).strftime("%Y-%m-%d")
    entry = revocation.Entry(release.manifest_sha256, release.id, release.version, date, given.reason)
    beside = given.list.with_name(given.list.name + ".new")
    try:
        write_private(beside, revocation.extended(listed, entry, key))
        beside.chmod(0o644)
        beside.replace(given.list)
    except OSError as error:
        raise _unwritable(error) from error
    line = {**_about(release), "list": str(given.list), "revoked": len(listed) + 1, "date": date}
    call.console.emit(line, f"revoked  {release.id} {release.version} in {given.list}: {len(listed) + 1} in all")
    return ExitCode.OK


def _opened(call: Call) -> Release:
    """The release in question, verified."""
    from radiomicnet_md.engine import release as releases
    from radiomicnet_md.home import revoked_list

    settings = call.settings()
    keys = releases.trusted_keys(*settings.release_keys)
    return releases.open_release(_folder(call), keys=keys, revoked=(revoked_list(settings.home),))


def _folder(call: Call) -> Path:
    from radiomicnet_md.engine.release import default_folder

    return call.settings().release or default_folder()


def _about(release: Release) -> dict[str, str]:
    return {"path": str(release.folder), "manifest_sha256": release.manifest_sha256, "keyid": release.keyid}


def _key(path: Path) -> SigningKey:
    """The release key; its passphrase comes from a file or from a person, as for the keys of a home."""
    from radiomicnet_md import passphrases
    from radiomicnet_md_audit import sign

    beside = path.with_name(path.name + ".passphrase")
    return sign.load_private(path, passphrases.existing(beside, of="the release key"))


def _unwritable(error: OSError) -> ConfigurationError:
    return ConfigurationError(
        "E-RELEASE-WRITE",
        f"The release cannot be written: {error.strerror}.",
        remedy="Check the folder's permissions and the free space, and name another place.",
    )


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
