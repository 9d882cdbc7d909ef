# SPDX-License-Identifier: Apache-2.0
"""The other side of ``decoding``: a process that waits with everything imported, and one of its own for each file.

Rules of this module:

- A request is two files in memory: a DICOM file to read, and an empty one for the answer, which is one line, the
  decoder's name, and the samples in NPY form. No file of the disk is opened or written.
- Each request gets a process of its own, with bounded memory and time and without a core dump: what a damaged file does
  to a decoder ends with it, and the next file meets a process that has seen none.
- A child that dies, or whose decoder complains, has not decoded: libjpeg fills what is missing with grey
  and says so on standard error only.
- It ends when whoever asks is gone.
"""

from __future__ import annotations

import os
import resource
import socket
import sys
from io import BytesIO

import numpy as np
from pydicom import dcmread
from pydicom.pixels.decoders.base import get_decoder

from radiomicnet_md.io.silence import quiet

# GDCM comes first: it reads most, lossless JPEG included, and does not hide what its decoders complain of.
PLUGINS = ("gdcm", "pyjpegls", "pylibjpeg", "pillow")
DECODED, NOT_DECODED = b"\x01", b"\x00"
_MEMORY_BYTES = 2 * 2**30
_CPU_SECONDS = 30


def serve(asking: socket.socket) -> None:
    """Answer requests until there will be no more."""
    while True:
        _, files, _, _ = socket.recv_fds(asking, 1, 2)
        if not files:
            return
        request, answer = files
        child = os.fork()
        if not child:
            asking.close()
            os._exit(decode(request, answer))
        for file in files:
            os.close(file)
        _, status = os.waitpid(child, 0)
        asking.send(NOT_DECODED if status else DECODED)


def decode(request: int, answer: int) -> int:
    """Decode one file to the other; the exit code is 0 only if that worked without complaint."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    complaints = os.memfd_create("complaints")
    for stream in (1, 2):
        os.dup2(complaints, stream)
    try:
        with quiet(), os.fdopen(request, "rb") as file:
            dataset = dcmread(BytesIO(file.read()), force=True)
            decoder = get_decoder(dataset.file_meta.TransferSyntaxUID)
            for plugin in PLUGINS:
                if plugin not in decoder.available_plugins:
                    continue
                try:
                    array, meta = decoder.as_array(dataset, raw=True, decoding_plugin=plugin)
                except Exception:  # noqa: BLE001, S112 - a plug-in that cannot read this variant leaves it to the next
                    continue
                if os.fstat(complaints).st_size:
                    return 1
                axes = ("number_of_frames", "rows", "columns", "samples_per_pixel")
                samples = np.ascontiguousarray(array).reshape([int(meta[axis]) for axis in axes])
                with os.fdopen(answer, "wb") as out:
                    out.write(plugin.encode() + b"\n")
                    np.save(out, samples, allow_pickle=False)
                return 0
    except BaseException:  # noqa: BLE001, S110 - whatever it is, this file was not decoded
        pass
    return 1


if __name__ == "__main__":
    serve(socket.socket(fileno=sys.stdin.fileno()))
