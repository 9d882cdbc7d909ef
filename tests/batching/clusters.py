# SPDX-License-Identifier: Apache-2.0
"""A Dask scheduler and workers of ours as real processes on this machine, to be killed and begun again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import desks

STUB = ("-m", "tests.dicomnode.stub_node")  # the command line with an engine that only thresholds
REAL = ("-m", "radiomicnet_md")


def environment(folder: Path, **more: str) -> dict[str, str]:
    """As :func:`desks.environment`, with the machine's compiled kernels."""
    return desks.environment(folder, XDG_CACHE_HOME=str(Path.home() / ".cache"), STUB_ONLY_MASK="yes", **more)


def scheduler(folder: Path, *options: str, port: int = 0) -> tuple[subprocess.Popen[str], str]:
    """A scheduler, and its address."""
    note = folder / f"scheduler-{time.monotonic_ns()}.json"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard", "--scheduler-file", str(note)]
    command += ["--host", "127.0.0.1", "--port", str(port), *options]
    process = subprocess.Popen(
        command, env=environment(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
    )
    for _ in range(600):
        if note.exists() and note.stat().st_size:
            return process, str(json.loads(note.read_text())["address"])
        if process.poll() is not None:
            break
        time.sleep(0.05)
    process.kill()
    message = f"the scheduler did not start: {process.wait()}"
    raise RuntimeError(message)


def worker(home: Path, address: str, *options: str, program: tuple[str, ...] = STUB) -> subprocess.Popen[str]:
    """A worker of ours, in a session of its own; it has not begun to listen yet."""
    command = [sys.executable, *program, "worker", address, "--home", str(home), "--json", *options]
    return subprocess.Popen(
        command,
        env=environment(home.parent),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def end(process: subprocess.Popen[str]) -> None:
    """Kill it with all that it has begun."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL) if os.getpgid(process.pid) == process.pid else process.kill()
    process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


@contextmanager
def cluster(
    folder: Path, home: Path, jobs: int = 2, program: tuple[str, ...] = STUB
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A scheduler with one worker of ours that has ``jobs`` processes: its address, and the worker."""
    leading, address = scheduler(folder)
    working = worker(home, address, "--jobs", str(jobs), program=program)
    try:
        assert working.stdout is not None
        said = working.stdout.readline()
        if not said or json.loads(said)["status"] != "working":
            raise RuntimeError(said + (working.stderr.read() if working.stderr else ""))
        yield address, working
    finally:
        end(working)
        end(leading)


def batch(home: Path, source: Path, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """One call of ``batch``, to its end."""
    command = [sys.executable, *STUB, "batch", str(source), "--out", str(out), "--home", str(home)]
    return subprocess.run(
        [*command, "--format", "png", "--json", *options],
        env=environment(home.parent), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
