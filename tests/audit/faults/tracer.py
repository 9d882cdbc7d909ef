# SPDX-License-Identifier: Apache-2.0
"""A child process meets one fault at one system call, and what it said before is kept.

Rules of this module:

- The child is forked, so that a point costs no start of an interpreter, and ``strace`` is attached before it begins.
  Calls are counted from there, for each system call by itself.
- A fault counts only where it happened: the trace says which call it was put into, and a child that came to its end
  untouched is no point.
- What the child says goes through a pipe, which outlives it. A receipt counts as acknowledged when it was said.
- A short write is a real one: the kernel writes up to RLIMIT_FSIZE and no further. ``strace`` could only claim it.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import resource
import signal
import subprocess
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, Self, TypeAlias

from radiomicnet_md_audit.errors import Problem

Say: TypeAlias = Callable[..., None]
Act: TypeAlias = Callable[[Path, Say], None]

KILL = "SIGKILL"
ERRORS = ("EIO", "ENOSPC", "EDQUOT")

# What changes a file, makes it durable, or decides whose turn it is; a machine may lack some of these names. A close
# is left out: Linux closes the file whatever it answers, and a call that strace lets fail is not made at all.
_GROWS = ("write", "pwrite64", "fsync", "fdatasync", "ftruncate", "fallocate", "mkdir", "mkdirat")
_MOVES = ("rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir", "chmod", "fchmod", "fchmodat")
_OTHERS = ("open", "openat", "flock", "fcntl")
_CALLS = (*_GROWS, *_MOVES, *_OTHERS)

_LINE = re.compile(r"^(\d+) +(\w+)\((.*)$")
_SET_PTRACER, _ANYBODY = 0x59616D61, -1  # prctl(2): a kernel may let only parents trace
_SHORT_S = 60


@dataclass(frozen=True)
class Call:
    """The ``number``-th call of a name since the child began, and the file in the point's folder that it is about."""

    name: str
    number: int
    file: str
    faults: tuple[str, ...]


@dataclass
class End:
    """How a child ended: its exit code (a signal's number below zero), what it said, and whether the fault happened."""

    status: int
    said: list[list[str]] = field(default_factory=list)
    struck: bool = False

    def of(self, word: str) -> list[list[str]]:
        """Return what was said under this word."""
        return [rest for first, *rest in self.said if first == word]


def record(act: Act, folder: Path, error: Call | None = None) -> list[Call]:
    """Run an act and return the calls at which a fault could be put; with an ``error`` (EIO) at one, those after it."""
    rules = ["trace=" + ",".join(f"?{name}" for name in _CALLS)]
    text, end = _traced(act, folder, *rules, *([] if error is None else [_rule(error, "EIO")]))
    if end.status and error is None:
        raise RuntimeError(end.said)
    lines = [match.groups() for match in map(_LINE.match, text.splitlines()) if match]
    seen: Counter[str] = Counter()
    calls: list[Call] = []
    for pid, name, rest in lines:
        if pid != lines[0][0]:
            continue
        seen[name] += 1
        faults = _faults(name, rest)
        if faults and (place := re.search(re.escape(str(folder)) + r'/?([^>"]*)', rest)):
            calls.append(Call(name, seen[name], _anonymous(place[1]), faults))
        if "(INJECTED)" in rest:
            calls.clear()
    return calls


def strike(act: Act, folder: Path, call: Call, fault: str, error: Call | None = None) -> End:
    """Run an act with one fault at one call; ``error`` is a call of another name that fails with EIO before."""
    rules = [_rule(call, fault), *([] if error is None else [_rule(error, "EIO")])]
    names = {call.name} if error is None else {call.name, error.name}
    text, end = _traced(act, folder, f"trace={','.join(names)}", *rules)
    end.struck = end.status == -signal.SIGKILL if fault == KILL else "(INJECTED)" in text
    return end


def limit(act: Act, folder: Path, size: int, *, deadly: bool) -> End:
    """Run an act in which no file grows beyond ``size`` bytes: the write that would is cut short there.

    The next write gets EFBIG, or, where ``deadly``, the signal that ends the process.
    """

    def limited(place: Path, say: Say) -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL if deadly else signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        act(place, say)

    end = run(limited, folder)
    end.struck = end.status == -signal.SIGXFSZ if deadly else bool(end.of("failed") or end.of("door"))
    return end


def run(act: Act, folder: Path) -> End:
    """Run an act in a child of its own."""
    with _Child(act, folder) as child:
        child.go()
        return child.end()


def _rule(call: Call, fault: str) -> str:
    how = f"signal={fault}" if fault == KILL else f"error={fault}"
    return f"inject={call.name}:{how}:when={call.number}"


def _traced(act: Act, folder: Path, *rules: str) -> tuple[str, End]:
    with tempfile.NamedTemporaryFile("r", encoding="utf-8", errors="replace") as trace, _Child(act, folder) as child:
        options = [part for rule in rules for part in ("-e", rule)]
        command = ["strace", "-f", "-y", "-o", trace.name, *options, "-p", str(child.pid)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
            if tracer.stderr is None or "attached" not in (first := tracer.stderr.readline()):
                raise RuntimeError(first)
            child.go()
            end = child.end()
            tracer.communicate(timeout=_SHORT_S)
        return trace.read(), end


class _Child:
    """A forked process that waits for the word to begin."""

    def __init__(self, act: Act, folder: Path) -> None:
        self._heard, tell = os.pipe()
        wait, self._go = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _be_child(act, folder, tell, wait)
        os.close(tell)
        os.close(wait)
        self._ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._ended:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._heard)
        os.close(self._go)

    def go(self) -> None:
        """Let it begin."""
        os.write(self._go, b"!")

    def end(self) -> End:
        """Return how it ended."""
        text = b""
        while data := os.read(self._heard, 1 << 16):
            text += data
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self._ended = True
        return End(status, [json.loads(line) for line in text.splitlines()])


def _be_child(act: Act, folder: Path, tell: int, wait: int) -> NoReturn:
    """Act, tell what went wrong, and end with the exit code that the device would have."""
    status = 70  # what this harness itself would have to answer for

    def say(*words: str) -> None:
        os.write(tell, json.dumps(words).encode() + b"\n")

    try:
        signal.alarm(_SHORT_S)  # a child that hangs is a failure too, and it must not hang the campaign
        ctypes.CDLL(None).prctl(_SET_PTRACER, _ANYBODY)
        os.read(wait, 1)
        act(folder, say)
        status = 0
    except Problem as problem:
        say("failed", problem.code, str(problem.exit_code))
        status = problem.exit_code
    except BaseException:  # noqa: BLE001 -- whatever it is: the parent has to know
        say("crashed", traceback.format_exc()[-2_000:])
        status = 1
    finally:
        os._exit(status)


def _faults(name: str, arguments: str) -> tuple[str, ...]:
    """What can go wrong with a call.

    An error that the kernel would never give there is left out, and so is a kill at a call that changes no file: it
    would be the one at the next call that does.
    """
    if name.startswith("open") and "O_CREAT" not in arguments:
        return ("EIO",)
    if name in {"flock", "fcntl"}:
        return ("EIO",) if "LOCK_EX" in arguments or "F_SETLK" in arguments else ()
    return (KILL, *ERRORS) if name in _GROWS or name.startswith(("open", "rename")) else (KILL, "EIO")


def _anonymous(path: str) -> str:
    """The kind of a file: names that are ids or digests stand for all of their kind."""
    parts = [re.sub(r"[0-9a-z]{26,64}|[0-9]{12}(?=\.)|(?<=\.)[a-z0-9_]{8}$", "*", part) for part in path.split("/")]
    return "/".join(re.sub(r"^[0-9a-f]{2}$", "*", part) for part in parts) or "."
