# SPDX-License-Identifier: Apache-2.0
"""``python -m radiomicnet_md_training``: train a row of the results, score it, write the tables, make a candidate."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from radiomicnet_md.errors import ExitCode, Problem

COMMAND = ["-m", "radiomicnet_md_training"]


def main(argv: list[str] | None = None, command: list[str] | None = None) -> int:
    """Parse, call, report; returns the exit code. ``command`` restarts the calling program for a unit."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("interpret").setLevel(logging.WARNING)  # it tells of every table it begins
    try:
        _call(arguments, command or COMMAND)
    except Problem as problem:
        sys.stderr.write(f"{problem.code}: {problem}\n  {problem.remedy}\n")
        return problem.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: call the same command again, it goes on with the last checkpoint\n")
        return ExitCode.INTERRUPTED
    return ExitCode.OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m radiomicnet_md_training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    def add(name: str, text: str) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=text)
        one.add_argument("recipe", type=Path)
        one.add_argument("--data", type=Path, required=True, help="folder with images/, masks/, splits.csv")
        one.add_argument("--out", type=Path, required=True, help="where the runs are kept")
        return one

    train = add("train", "train a recipe on every fold with every seed; resumable")
    train.add_argument("--jobs", type=int, default=2, help="units at the same time, one thread each")
    unit = add("unit", "train one seed on one fold, in this process")
    unit.add_argument("--seed", type=int, required=True)
    unit.add_argument("--fold", type=int, required=True, help="from 0; -1 leaves nothing out")
    evaluate = add("evaluate", "score every unit on the cases that it never saw")
    evaluate.add_argument("--results", type=Path, required=True, help="where the row is stored for the tables")
    faithfulness = add(
        "faithfulness", "measure whether what is said to explain a decision does; after evaluate, resumable"
    )
    faithfulness.add_argument("--results", type=Path, required=True, help="where it is stored for the tables")
    faithfulness.add_argument("--cases", type=int, help="of each fold, evenly spread; all where left out")
    quantised = add("quantised", "count the pixels that change sides when the networks of a row become integers")
    quantised.add_argument("--results", type=Path, required=True, help="where it is stored for the tables")
    candidate = add("candidate", "train on all open cases, fit the region tables, write what `release build` locks")
    candidate.add_argument("--lock", type=Path, required=True, help="the dependency lock that the release binds")
    add("volumes", "train and score the three-dimensional row")
    external = commands.add_parser("external", help="score finished rows and the shipped release on another hospital's")
    external.add_argument("recipe", type=Path, nargs="+")
    external.add_argument("--data", type=Path, required=True, help="folder that the rows were trained on")
    external.add_argument("--out", type=Path, required=True, help="where the runs are kept")
    external.add_argument("--other", type=Path, required=True, help="the other hospital's folder, of the same layout")
    external.add_argument("--results", type=Path, required=True, help="where it is stored for the tables")
    tables = commands.add_parser("tables", help="write the results page from the stored rows")
    tables.add_argument("results", type=Path)
    tables.add_argument("--out", type=Path, required=True, help="folder of results.md")
    return parser


def _call(arguments: argparse.Namespace, command: list[str]) -> None:
    if arguments.command == "tables":
        from radiomicnet_md_training import results

        results.tables(arguments.results, arguments.out)
        return
    if arguments.command == "volumes":
        from radiomicnet_md_training import volumes

        volumes.run(arguments.recipe, arguments.data, arguments.out)
        return
    if arguments.command == "external":
        from radiomicnet_md_training import external

        external.run(arguments.recipe, arguments.data, arguments.out, arguments.other, arguments.results)
        return
    from radiomicnet_md_training import harness

    if arguments.command == "train":
        harness.train(arguments.recipe, arguments.data, arguments.out, arguments.jobs, command)
        return
    row = harness.open_row(arguments.recipe, arguments.data, arguments.out)
    if arguments.command == "unit":
        harness.train_unit(row, harness.Unit(arguments.seed, arguments.fold))
    elif arguments.command == "evaluate":
        from radiomicnet_md_training import store

        store.store(row, arguments.data, arguments.results)
    elif arguments.command == "faithfulness":
        from radiomicnet_md_training.faithfulness import study

        study.store(study.of_row(row, row.recipe.folds.seeds[0], cases_per_fold=arguments.cases), arguments.results)
    elif arguments.command == "quantised":
        from radiomicnet_md_training import quantised

        quantised.store(row, arguments.results)
    else:
        from radiomicnet_md_training import release

        sys.stdout.write(f"{release.make(row, arguments.data, arguments.lock)}\n")


if __name__ == "__main__":
    sys.exit(main())
