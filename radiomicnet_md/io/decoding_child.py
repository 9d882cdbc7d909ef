# SPDX-License-Identifier: Apache-2.0
"""Compressed pixel data are decoded in a process of their own, because a decoder may take its process with it.

Rules of this module:

- The child gets a DICOM file on its standard input and answers with one line, the decoder's name, and
  the samples in NPY form. It opens no file and writes none, has bounded memory and time, and dumps no core.
- A child that dies, or whose decoder complains, has not decoded: libjpeg fills what is missing with grey
  and says so on standard error only.

Found by feeding damaged files: GDCM 3.2.6 ends the process (``std::terminate``) on a JPEG stream with
two contradicting headers. In the device's own process that would have been a case without a record.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.io.silence import quiet

# GDCM comes first: it reads most, lossless JPEG included, and does not hide what its decoders complain of.
PLUGINS = ("gdcm", "pyjpegls", "pylibjpeg", "pillow")
_MEMORY_BYTES = 2 * 2**30
_CPU_SECONDS = 30
_WALL_SECONDS = 600


def decode(data: bytes) -> tuple[NDArray[Any], str] | None:
    """Return the samples of a compressed DICOM file and the decoder's name, or None if no decoder read them."""
    command = [sys.executable, "-P", "-m", "radiomicnet_md.io.decoding_child"]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            command, input=data, capture_output=True, timeout=_WALL_SECONDS, check=False, env=environment
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        return None
    return samples_from(done.stdout)


def samples_from(answer: bytes) -> tuple[NDArray[Any], str]:
    """The samples and the decoder's name in the child's answer."""
    name, _, body = answer.partition(b"\n")
    array: NDArray[Any] = np.load(BytesIO(body), allow_pickle=False)
    return array, name.decode()


def main() -> int:
    """Decode standard input to standard output; the exit code is 0 only if that worked without complaint."""
    from pydicom import dcmread
    from pydicom.pixels.decoders.base import get_decoder

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    complaints = os.memfd_create("complaints")
    answer = os.dup(1)
    for stream in (1, 2):
        os.dup2(complaints, stream)
    with quiet():
        dataset = dcmread(BytesIO(sys.stdin.buffer.read()), force=True)
        decoder = get_decoder(dataset.file_meta.TransferSyntaxUID)
        for plugin in PLUGINS:
            if plugin not in decoder.available_plugins:
                continue
            try:
                array, meta = decoder.as_array(dataset, raw=True, decoding_plugin=plugin)
            except Exception:  # noqa: BLE001, S112 - a plug-in that cannot read this variant leaves it to the next
                continue
            if os.fstat(complaints).st_size:
                break
            axes = ("number_of_frames", "rows", "columns", "samples_per_pixel")
            samples = np.ascontiguousarray(array).reshape([int(meta[axis]) for axis in axes])
            body = BytesIO()
            np.save(body, samples, allow_pickle=False)
            with os.fdopen(answer, "wb") as out:
                out.write(plugin.encode() + b"\n" + body.getbuffer())
            return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
