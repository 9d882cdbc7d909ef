# SPDX-License-Identifier: Apache-2.0
"""pymerkle's tree in SQLite, in a process of its own that says how long its calls took.

``python -P benchmarks/log_pymerkle.py DATABASE`` answers each line of JSON on its input by one on its output;
:class:`Pymerkle` starts it and asks.

Rules of this module:

- pymerkle is under the GPL and no part of the product: only this process imports it, from a folder that nothing else
  searches, and what passes between are lines of text. Its documented calls are used and its settings are left alone.
- The clock runs in that process and around its calls alone; entries are read from a file before it starts.
- It has no verification of a whole log: every entry is hashed and held against its leaf, and the root is computed
  from the leaves, which is what its calls allow.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(sys.prefix) / "peers"  # filled by `make bench-log-peers`
NAME = "pymerkle"


class Pymerkle:
    """A tree on the other side of a pipe; raises :class:`ModuleNotFoundError` where it is not installed."""

    file_table = "leaf"

    def __init__(self, folder: Path) -> None:
        """Start the process on a new database."""
        self.path = folder / "pymerkle.db"
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__, str(self.path)],
            env={**os.environ, "PYTHONPATH": str(FOLDER)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started = self._answer()
        if "problem" in started:
            self.close()
            raise ModuleNotFoundError(started["problem"])
        self.settings = f"pymerkle {started['version']}: {started['settings']}"

    def append(self, envelopes: Sequence[bytes]) -> list[float]:
        """Milliseconds of each; an envelope holds no line end."""
        file = self.path.with_suffix(".entries")
        file.write_bytes(b"\n".join(envelopes))
        times: list[float] = self._ask(append=str(file))
        return times

    def verify(self) -> float:
        """Seconds; raises :class:`ValueError` where an entry is not its leaf's."""
        found: float | None = self._ask(verify=True)
        if found is None:
            raise ValueError(self.path)
        return found

    def prove(self, indices: Sequence[int]) -> list[float]:
        """Milliseconds of making and checking a proof for each."""
        times: list[float] = self._ask(prove=list(indices))
        return times

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _ask(self, **request: object) -> Any:  # noqa: ANN401 -- JSON, given a type by each caller
        if self._process.stdin is None:
            raise RuntimeError
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:  # noqa: ANN401 -- JSON, given a type by each caller
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            message = f"its process ended with {self._process.wait()}"
            raise RuntimeError(message)
        return json.loads(line)


# --------------------------------------------------------------------------------------- the process


def serve(database: str) -> None:
    """Answer requests until the input ends."""
    try:
        import pymerkle  # type: ignore[import-not-found]
    except ImportError:
        print(json.dumps({"problem": "not installed"}), flush=True)
        return
    tree = pymerkle.SqliteTree(database)
    said = [tree.con.execute(f"PRAGMA {name}").fetchone() for name in ("journal_mode", "synchronous")]
    settings = f"journal {said[0]}, synchronous {['OFF', 'NORMAL', 'FULL', 'EXTRA'][said[1]]}"
    version = importlib.metadata.version(NAME)
    print(json.dumps({"version": version, "settings": settings}), flush=True)

    def append(file: str) -> list[float]:
        return [_timed(lambda entry=entry: tree.append_entry(entry)) for entry in Path(file).read_bytes().split(b"\n")]  # type: ignore[misc]

    def verify(_: bool) -> float | None:  # noqa: FBT001 -- the request's one value
        start = time.perf_counter()
        for index in range(1, tree.get_size() + 1):
            if tree.hash_buff(tree.get_entry(index)) != tree.get_leaf(index):
                return None
        tree.get_root()
        return time.perf_counter() - start

    def prove(indices: list[int]) -> list[float]:
        size, root = tree.get_size(), tree.get_root()
        entries = {index: tree.get_entry(index + 1) for index in indices}

        def one(index: int) -> None:
            proof = tree.prove_inclusion(index + 1, size)
            pymerkle.verify_inclusion(tree.hash_buff(entries[index]), root, proof, index + 1, size)

        return [_timed(lambda index=index: one(index)) for index in indices]  # type: ignore[misc]

    calls: dict[str, Callable[[Any], object]] = {"append": append, "verify": verify, "prove": prove}
    for line in sys.stdin:
        ((name, value),) = json.loads(line).items()
        print(json.dumps(calls[name](value)), flush=True)


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


if __name__ == "__main__":
    serve(sys.argv[1])
