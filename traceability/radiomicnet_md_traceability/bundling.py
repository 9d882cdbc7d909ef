# SPDX-License-Identifier: Apache-2.0
"""``evidence build`` writes a signed bundle or nothing; ``evidence verify`` ends with 0 only for one that holds.

The bundle stands in :mod:`evidence`, its verification in :mod:`verify`, the bill of materials in :mod:`sbom`; here are
arguments, files, printing and the exit code.
"""

from __future__ import annotations

import argparse
import json as json_format
from collections.abc import Sequence
from pathlib import Path

from radiomicnet_md_audit import sign
from radiomicnet_md_audit.errors import ConfigurationError, ExitCode, IntegrityError
from radiomicnet_md_traceability import command, evidence, graph, sbom, verify


def arguments(parser: argparse.ArgumentParser, parents: Sequence[argparse.ArgumentParser] = ()) -> None:
    """Give ``evidence`` its verbs; what is parsed goes to :func:`run`."""
    verbs = parser.add_subparsers(dest="evidence_verb", required=True, metavar="VERB", parser_class=type(parser))
    building = verbs.add_parser(
        "build",
        parents=parents,
        conflict_handler="resolve",  # no release is opened here, and --release has its other meaning
        help="the signed bundle of all evidence",
    )
    building.add_argument("--out", type=Path, metavar="FILE", required=True, help="the bundle, a ZIP file")
    building.add_argument(
        "--key", type=Path, metavar="FILE", required=True, help="the encrypted key that signs; made where there is none"
    )
    building.add_argument("--passphrase-file", type=Path, metavar="FILE", required=True, help="holds its passphrase")
    building.add_argument(
        "--release", dest="for_release", action="store_true", help="refuse while a gap or a finding remains"
    )
    verifying = verbs.add_parser("verify", parents=parents, help="whether a bundle is whole, signed and consistent")
    verifying.add_argument("bundle", type=Path, metavar="BUNDLE")
    verifying.add_argument("--key", type=Path, metavar="PEM", required=True, help="the public key that you trust")


def run(args: argparse.Namespace) -> int:
    """Do what the parsed arguments say; the exit code."""
    if args.evidence_verb == "build":
        return build(args.out, args.key, args.passphrase_file, release=args.for_release)
    return check(args.bundle, args.key)


def build(out: Path, key: Path, passphrase_file: Path, *, release: bool) -> int:
    """Write the bundle, and the public key beside it."""
    passphrase = _read(passphrase_file).strip()
    if not key.is_file():
        sign.save_private(sign.generate(), key, passphrase)
    signer = sign.load_private(key, passphrase)
    content = evidence.build(graph.build(command.checkout()), signer, release=release)
    public = out.with_suffix(".pem")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        public.write_bytes(signer.public.to_pem())
        beside = out.with_suffix(".part")
        beside.write_bytes(content)
        beside.replace(out)
    except OSError as error:
        raise ConfigurationError(
            "E-EVIDENCE-FILE", "The bundle cannot be written there.", remedy="Give a folder that can be written to."
        ) from error
    print(json_format.dumps({"bundle": str(out), "key": str(public), **verify.verify(content, signer.public.to_pem())}))
    return ExitCode.OK


def check(bundle: Path, key: Path) -> int:
    """Print what the bundle proves.

    Raises:
        IntegrityError: the first thing that does not hold (``E-EVIDENCE`` and the verifier's own code).
    """
    try:
        said = verify.verify(_read(bundle), _read(key))
    except verify.Refused as refused:
        raise IntegrityError(
            f"E-EVIDENCE-{refused.code}", str(refused), remedy="Take the bundle again from whoever built it."
        ) from refused
    print(json_format.dumps(said, sort_keys=True))
    return ExitCode.OK


def sbom_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``sbom``."""
    parser.add_argument("--vex", action="store_true", help="the evaluated anomalies (VEX) instead of the bill")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write to FILE, not to stdout")


def run_sbom(args: argparse.Namespace) -> int:
    """Write the bill of materials; the exit code."""
    seen = graph.build(command.checkout(), structure=True)
    text = sbom.vex(seen) if args.vex else sbom.render(seen)
    if args.out is None:
        print(text, end="")
    else:
        args.out.write_text(text, encoding="utf-8")
    return ExitCode.OK


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            "E-EVIDENCE-FILE", f"The file {file.name} cannot be read.", remedy="Correct the path."
        ) from error
