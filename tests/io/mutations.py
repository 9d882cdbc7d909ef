# SPDX-License-Identifier: Apache-2.0
"""DICOM files changed where their structure is: any of them ends in a reading or a typed refusal, in time and memory.

``python -m tests.io.mutations [--count N] [--seed S] [--write]``; the last puts the result into
``docs/reference/dicom-robustness.md``.

Rules of this module:

- A mutation follows from its number and the seed; it is made again from these two.
- Each is read in a process of its own, with limits that the kernel holds: ``LONGEST_S`` of processor time and of wall
  time, ``MOST_BYTES`` of memory beyond what that process started with.
- Reading is what the device does up to the record: listing, decoding, the gate, commitments, the record's own bytes;
  and of what the gate admits, the segmentation that refers to it.
- Files are those of ``RADIOMICNET_MD_DATA`` where it is set, else those that pydicom brings, and three of our own.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import pydicom.data

from radiomicnet_md import desk, io
from radiomicnet_md.engine import record
from radiomicnet_md.engine.acceptance import Admitted, Limits, admit
from radiomicnet_md.engine.record import Case, Outcome
from radiomicnet_md.errors import InputError
from radiomicnet_md.io import decoding, decoding_child
from radiomicnet_md_audit import canonical
from tests.audit import evidence_page
from tests.io import samples
from tests.io.mutating import KINDS, mutated

LONGEST_S = 30
MOST_BYTES = 2 * 2**30
_LARGEST_SEED = 2**20
_FRAMES_EACH = 3
_OWN = 0.25  # share of mutations of our own files: what nobody would refuse unchanged
_PAGE = evidence_page.PAGE.with_name("dicom-robustness.md")


@cache
def own() -> tuple[bytes, ...]:
    """Files that the gate admits as they are: an image, a loop, and a compressed loop."""
    levels = np.stack([samples.frame()] * 3)
    return samples.ultrasound(), samples.loop(levels), samples.loop(levels, syntax="1.2.840.10008.1.2.4.80")


@cache
def seeds() -> tuple[bytes, ...]:
    """The files that are changed, none above a mebibyte."""
    given = os.environ.get("RADIOMICNET_MD_DATA")
    folder = Path(given) / "dicom" if given else Path(pydicom.data.__file__).parent / "test_files"
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix not in {".py", ".pyc"}]
    found = [path.read_bytes() for path in files if path.stat().st_size <= _LARGEST_SEED]
    return (*own(), *(data for data in found if data[128:132] == b"DICM" or b"\x08\x00" in data[:8]))


@dataclass
class Result:
    """What came of a campaign."""

    outcomes: dict[str, Counter[str]] = field(default_factory=dict)  # by kind of mutation
    broken: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    largest_bytes: int = 0
    seconds: float = 0.0

    @property
    def count(self) -> int:
        """Mutations so far."""
        return sum(counter.total() for counter in self.outcomes.values())


def judge(path: Path) -> str:
    """``admitted``, the code of a refusal, or the first code of several frames' refusals; whatever else is a defect."""
    try:
        inputs = io.expand(path)
    except InputError as problem:
        return problem.code
    reader, codes = io.Reader(), []
    for item in inputs[:_FRAMES_EACH]:
        try:
            codes.append(_decided(reader.read(item), path.with_name("mask.dcm")))
        except InputError as problem:
            codes.append(problem.code)
    return next((code for code in codes if code != "admitted"), "admitted")


def _decided(reading: io.Reading, made: Path) -> str:
    named = desk.commitments(reading.identity, b"salt")
    answer = admit(reading.image, Limits())
    case = Case("0" * 26, "1" * 26, Outcome.REFUSED, image=reading.image, commitments=named, checks=answer.checks)
    canonical.dumps(record._input(case))
    if not isinstance(answer, Admitted):
        return answer.code
    mask = np.zeros(reading.image.pixels.shape[1:3], np.uint8)
    io.write_segmentation(made, reading, mask, samples.RECEIPT, samples.ALGORITHM)
    return "admitted"


def alone(work: Callable[[], str]) -> tuple[str | None, str, float, int]:
    """Do it in a process of its own: the outcome or None, what was said instead, seconds, and most bytes of memory."""
    ear, mouth = os.pipe()
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        _limited(work, mouth)
    os.close(mouth)
    with os.fdopen(ear, "rb") as stream:
        said = stream.read().decode()
    _, status, used = os.wait4(child, 0)
    seconds, size = time.monotonic() - started, used.ru_maxrss * 1024
    if os.WIFSIGNALED(status):
        return None, f"ended by {signal.Signals(os.WTERMSIG(status)).name}", seconds, size
    return (said, "", seconds, size) if os.WEXITSTATUS(status) == 0 else (None, said, seconds, size)


def _limited(work: Callable[[], str], mouth: int) -> None:
    """In the child: set the limits, work, say what came of it, and end without the parent's endings."""
    code = 1
    try:
        held = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (held + MOST_BYTES, hard))
        resource.setrlimit(resource.RLIMIT_CPU, (LONGEST_S, LONGEST_S))
        signal.alarm(LONGEST_S)
        decoding.decode = _decoded_in_a_fork
        said, code = work(), 0
    except BaseException:  # noqa: BLE001 - whatever it is, it is the finding
        said = traceback.format_exc()
    finally:
        os.write(mouth, said.encode()[-4000:])
        os._exit(code)


def _decoded_in_a_fork(data: bytes) -> tuple[np.ndarray, str] | None:  # type: ignore[type-arg]
    """The decoding process as it is, a fork of this one: what asks is a fork itself, and would begin another side."""
    given, answer = os.memfd_create("given"), os.memfd_create("answer")
    os.write(given, data)
    os.lseek(given, 0, os.SEEK_SET)
    child = os.fork()
    if child == 0:
        os._exit(decoding_child.decode(given, answer))
    _, status = os.waitpid(child, 0)
    os.close(given)
    with os.fdopen(answer, "rb") as stream:
        return None if status else decoding.samples_from(stream)


def run(count: int, seed: int) -> Result:
    """Make and read this many mutations."""
    result, started = Result(), time.monotonic()
    importlib.import_module("highdicom")  # once, and not again in each process
    with tempfile.TemporaryDirectory() as folder:
        for kind, data, name in _cases(count, seed):
            path = Path(folder) / name.partition(":")[0]
            path.write_bytes(data)
            outcome, said, seconds, size = alone(lambda path=path: judge(path))  # type: ignore[misc]
            result.slowest_s = max(result.slowest_s, seconds)
            result.largest_bytes = max(result.largest_bytes, size)
            result.outcomes.setdefault(kind, Counter())[outcome or "BROKEN"] += 1
            if outcome is None or size > MOST_BYTES or seconds > LONGEST_S:
                result.broken.append(f"{name.partition(':')[2]} {kind}: {said} ({seconds:.1f} s, {size} bytes)")
            path.unlink()
    result.seconds = time.monotonic() - started
    return result


def _cases(count: int, seed: int) -> Iterator[tuple[str, bytes, str]]:
    """Kind, bytes, and ``file name:number`` of each mutation; an index is read under the name of one."""
    for number in range(count):
        kind, data = case(number, seed)
        name = "DICOMDIR" if b"1.2.840.10008.1.3.10" in data[:1000] else "input"
        yield kind, data, f"{name}:{number}"


def case(number: int, seed: int) -> tuple[str, bytes]:
    """Mutation ``number`` of a campaign: its kind and its bytes."""
    rng = random.Random(f"{seed} {number}")  # noqa: S311 - nothing secret
    kind = KINDS[number % len(KINDS)]
    return kind, mutated(kind, rng.choice(own() if rng.random() < _OWN else seeds()), rng)


def summary(command: str, result: Result) -> str:
    """The block of the page."""
    rows = []
    for kind, counter in sorted(result.outcomes.items()):
        commonest = ", ".join(f"`{code}` {many:,}" for code, many in counter.most_common(4))
        rows.append(f"| {kind} | {counter.total():,} | {counter['admitted']:,} | {counter['BROKEN']:,} | {commonest} |")
    where = f"{platform.machine()}, Python {platform.python_version()}"
    return "\n".join(
        [
            f"Written by {command} in {result.seconds:.0f} s on {where}:",
            f"{result.count:,} mutations of {len(seeds())} files; {len(result.broken)} ended otherwise than in a",
            f"reading or a typed refusal. The slowest took {result.slowest_s:.1f} s,",
            f"the largest {result.largest_bytes / 2**20:.0f} MiB.",
            "",
            "| changed | files | admitted | broken | commonest outcomes |",
            "|---|---:|---:|---:|---|",
            *rows,
        ]
    )


def main() -> int:
    """Run as long as asked; print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000, help="mutations (20,000)")
    parser.add_argument("--seed", type=int, default=0, help="of the random changes (0)")
    parser.add_argument("--write", action="store_true", help="put the result into docs/reference/dicom-robustness.md")
    options = parser.parse_args()
    result = run(options.count, options.seed)
    if options.write:
        said = f"`python -m tests.io.mutations --count {options.count} --seed {options.seed} --write`"
        page = evidence_page.replaced(_PAGE.read_text("utf-8"), "mutations", summary(said, result))
        _PAGE.write_text(page, encoding="utf-8")
    lines = [f"{result.count} mutations, {len(result.broken)} broken, {result.seconds:.0f} s", *result.broken[:10]]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if result.broken else 0


if __name__ == "__main__":
    sys.exit(main())
