# SPDX-License-Identifier: Apache-2.0
"""Compressed pixel data are decoded in a process of their own, because a decoder may take its process with it.

Rules of this module:

- Files go to the other side (``decoding_child``) in memory, and samples come back so; nothing is written.
- The other side is begun when it is first needed, once a process, and begun again when it has ended or does not answer.
  To begin it takes half a second, as long as many a file's decoding, and so it is not begun for each.

Found by feeding damaged files: GDCM 3.2.6 ends the process (``std::terminate``) on a JPEG stream with
two contradicting headers. In the device's own process that would have been a case without a record.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

_WALL_SECONDS = 600
_DECODED = b"\x01"


class _Side:
    """The other side, as one process sees it."""

    def __init__(self) -> None:
        self.owner = os.getpid()  # a fork of this process begins its own
        self.socket, theirs = socket.socketpair()
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "radiomicnet_md.io.decoding_child"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,  # so that it ends with what it has begun, and not by somebody's Ctrl-C
            )

    def ask(self, request: int, answer: int) -> bool:
        """Whether what is in one file was decoded to the other; ``OSError`` where there is no answer."""
        self.socket.settimeout(_WALL_SECONDS)
        socket.send_fds(self.socket, [b"\0"], [request, answer])
        said = self.socket.recv(1)
        if not said:
            raise ConnectionResetError
        return said == _DECODED

    def end(self) -> None:
        """End it, with what it is decoding."""
        self.socket.close()
        if self.owner == os.getpid():
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


_SIDE: list[_Side] = []
_ALONE = threading.Lock()
os.register_at_fork(before=_ALONE.acquire, after_in_parent=_ALONE.release, after_in_child=_ALONE.release)


def decode(data: bytes) -> tuple[NDArray[Any], str] | None:
    """Return the samples of a compressed DICOM file and the decoder's name, or None if no decoder read them."""
    request, answer = os.memfd_create("request"), os.memfd_create("answer")
    with os.fdopen(request, "w+b") as given, os.fdopen(answer, "r+b") as got:
        given.write(data)
        given.flush()
        given.seek(0)
        return samples_from(got) if _asked(request, answer) else None


def samples_from(answer: BinaryIO) -> tuple[NDArray[Any], str]:
    """The samples and the decoder's name in an answer of the other side."""
    answer.seek(0)
    name = answer.readline().rstrip(b"\n").decode()
    array: NDArray[Any] = np.load(answer, allow_pickle=False)
    return array, name


def end() -> None:
    """End the other side, if there is one."""
    with _ALONE:
        while _SIDE:
            _SIDE.pop().end()


def _asked(request: int, answer: int) -> bool:
    with _ALONE:
        if _SIDE and _SIDE[0].owner != os.getpid():
            _SIDE.pop().socket.close()
        if not _SIDE:
            _SIDE.append(_Side())
        try:
            return _SIDE[0].ask(request, answer)
        except OSError:
            _SIDE.pop().end()
            return False


atexit.register(end)
