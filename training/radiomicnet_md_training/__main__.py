# SPDX-License-Identifier: Apache-2.0
"""``python -m radiomicnet_md_training run RECIPE --data FOLDER --out FOLDER``: every stage, resumable."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from radiomicnet_md.errors import ExitCode, Problem


def main(argv: list[str] | None = None) -> int:
    """Parse, call, report; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m radiomicnet_md_training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="prepare, train, fit the region tables, lock and sign a release")
    run.add_argument("recipe", type=Path)
    run.add_argument("--data", type=Path, required=True, help="folder with images/, masks/, splits.csv")
    run.add_argument("--out", type=Path, required=True, help="where checkpoints and the release go")
    run.add_argument("--lock", type=Path, required=True, help="the dependency lock that the release binds")
    run.add_argument("--until", choices=("pixel", "folds", "release"), default="release")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    from radiomicnet_md_training import pipeline

    try:
        pipeline.run(arguments.recipe, arguments.data, arguments.out, arguments.lock, until=arguments.until)
    except Problem as problem:
        sys.stderr.write(f"{problem.code}: {problem}\n  {problem.remedy}\n")
        return problem.exit_code
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
