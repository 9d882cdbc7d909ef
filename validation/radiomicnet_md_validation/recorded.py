# SPDX-License-Identifier: Apache-2.0
"""The determinism table of another machine, kept as it was recorded there, and never counted among the lines run here.

Rules of this module:

- A file names its machine, its date, the digest of the images and of what the release computes with; it stands only
  beside a run of the same images by the same arithmetic, and says so otherwise.
- The files are data: nothing here writes a hash that another process did not compute.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md_audit import canonical

FILE = Path("validation/recorded/determinism.json")  # below the current folder, as the page is
PACKAGES = ("torch", "numpy", "numba", "scipy")
_COMPUTES = ("preprocessing.json", "tables.json", "weights.safetensors")
Images = Sequence[NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A table and where it is from."""

    date: str
    release: str  # id, version, and the digest of what it computes with
    images: str  # SHA-256 over them, in their order
    machine: Mapping[str, Any]
    rows: Mapping[str, dict[str, str]]


def write(path: Path, rows: Mapping[str, dict[str, str]], given: Images) -> None:
    """Keep what this machine found."""
    today = dt.datetime.now(dt.UTC).date().isoformat()
    made = Recorded(today, release(), images(given), machine(), rows)
    path.write_text(json.dumps(asdict(made), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read() -> Recorded | None:
    """What was recorded, None where nothing was."""
    return Recorded(**json.loads(FILE.read_text(encoding="utf-8"))) if FILE.is_file() else None


def fitting(given: Images) -> Recorded | None:
    """What was recorded of the same images by the same release, None where nothing was."""
    kept = read()
    return kept if kept is not None and (kept.release, kept.images) == (release(), images(given)) else None


def release() -> str:
    """The shipped release by name and by the digest of what it computes with.

    The manifest is left out: signed anew, or with another lock of packages, it is another and computes the same.
    """
    from radiomicnet_md.engine.release import default_folder, open_release, trusted_keys

    opened = open_release(default_folder(), keys=trusted_keys())
    parts = {name: hashlib.sha256(opened.files[name]).hexdigest() for name in _COMPUTES}
    return f"{opened.id} {opened.version}, computes {hashlib.sha256(canonical.dumps(parts)).hexdigest()}"


def images(given: Images) -> str:
    """SHA-256 over sizes and grey levels."""
    total = hashlib.sha256()
    for one in given:
        total.update(np.array(one.shape, dtype="<i8").tobytes() + np.ascontiguousarray(one).tobytes())
    return total.hexdigest()


def machine() -> dict[str, Any]:
    """Processor, GPU, interpreter and packages."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "processor")
    return {
        "processor": f"{model}, {os.cpu_count()} cores, {platform.machine()}",
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in PACKAGES},
        **_gpu(),
    }


def _gpu() -> dict[str, Any]:
    import torch

    from radiomicnet_md.engine import gpu_engine

    if not torch.cuda.is_available():
        return {}
    gpu_engine.use_exact_settings()
    return {
        "torch": torch.__version__,
        "gpu": torch.cuda.get_device_name(),
        "cuda": torch.version.cuda,
        "settings": gpu_engine.settings(),
    }


# ----------------------------------------------------------------------------------------------- the page


def described(machine: Mapping[str, Any]) -> str:
    """A machine in a line; what was set for its GPU comes last."""
    plain = [f"{name} {value}" for name, value in machine.items() if name != "settings"]
    settings = [f"{name} {str(value).lower()}" for name, value in machine.get("settings", {}).items()]
    return ", ".join(plain) + (f"; looked at before each image on the GPU: {', '.join(settings)}" if settings else "")


def table(found: Mapping[str, Mapping[str, str]], stages: Sequence[str]) -> Iterator[str]:
    """A line a configuration; the last column is the float network's."""
    yield f"| configuration | {' | '.join(stages)}, for comparison |"
    yield f"|---|{'---|' * len(stages)}"
    for name, one in found.items():
        yield f"| {name} | {' | '.join(f'`{one[stage][:12]}`' if stage in one else '' for stage in stages)} |"


def section(found: Mapping[str, Mapping[str, str]], kept: Recorded | None, stages: Sequence[str]) -> Iterator[str]:
    """What another machine recorded, and what nobody ran."""
    if kept is not None:
        run = list(found.values())
        same = all(one[stage] == run[0][stage] for one in kept.rows.values() for stage in stages[:-1])
        yield "## Recorded on another machine"
        yield ""
        yield f"These lines were not run here. They were recorded on {kept.date}, the same release and images, on"
        yield f"{described(kept.machine)}."
        hashes = "the hash of every stage above" if same else "**NOT the hashes above**"
        yield f"{len(kept.rows)} configurations, {hashes}."
        yield ""
        yield from table(kept.rows, stages)
        yield ""
    names = [*found, *(kept.rows if kept else ())]
    if not any(name.startswith("GPU") for name in names):
        yield "GPU and another release of torch: NOT RUN here, and nothing is recorded of these images by this release."
        yield ""
