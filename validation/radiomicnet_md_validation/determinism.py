# SPDX-License-Identifier: Apache-2.0
"""One hash of every stage of the shipped engine, whatever computes it, and how many an ordinary float32 network gives.

Rules of this module:

- A configuration that concerns a process has a fresh process; the hash of a stage goes over all images.
- Every engine has its part: the device's compiled loops, torch, OpenVINO, and the GPU's where there is one.
- The engine is the device's own and untouched. What no setting can reach (memory layout, batch) is forced on it from
  outside, so that the device needs no knob for it.
- The float network beside it is the same program with the same weights and without any rounding.
- Real images where the data folder is there (the first of the open splits), drawn ones otherwise; the page says which.

``python -m radiomicnet_md_validation.determinism`` shows the page, with ``--write`` it goes to
``docs/reference/determinism.md``. ``--record FILE`` keeps the hashes of this machine, the numpy reference's too, for
the page of another one. Exit code 3: two hashes differ.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md import compiling
from radiomicnet_md.engine import runner, runners
from radiomicnet_md.engine.segment import Engine
from radiomicnet_md_validation import recorded

PAGE = Path("docs/reference/determinism.md")
DIFFERENT = 3
IMAGES = 50
STAGES = ("features", "trunk", "contributions", "logit", "mask")
FLOAT = "float32"
GPU, REFERENCE = "gpu", "reference"  # runners that no release can name
Found = dict[str, str]


@dataclass(frozen=True, slots=True)
class Configuration:
    """How a process computes."""

    name: str
    threads: int = 1
    surroundings: Mapping[str, str] = field(default_factory=dict)
    runner: str = runners.COMPILED
    batch: int = 1  # how often the image stands in the batch; the last place answers
    forced: str = ""  # what is forced on torch, see :func:`force`
    backwards: bool = False  # the images in reverse order


def _torch(name: str, threads: int = 2, **more: Any) -> Configuration:  # noqa: ANN401 - any other part
    return Configuration(f"torch, {name}", threads, runner=runners.TORCH, **more)


def _x86() -> tuple[Configuration, ...]:
    if platform.machine() != "x86_64":
        return ()
    settings = {
        "oneDNN limited to SSE41": {"ONEDNN_MAX_CPU_ISA": "SSE41"},
        "oneDNN limited to AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2"},
        "oneDNN limited to AVX512_CORE": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"},
        **{f"ATen kernels: {one}": {"ATEN_CPU_CAPABILITY": one} for one in ("default", "avx2", "avx512")},
        **{f"MKL_CBWR {one}": {"MKL_CBWR": one} for one in ("COMPATIBLE", "AVX2")},
        "ATen avx2 and oneDNN SSE41": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "SSE41"},
    }
    targets = {
        f"compiled for {one}": {"NUMBA_CPU_NAME": one, "NUMBA_CPU_FEATURES": ""} for one in ("x86-64-v3", "x86-64-v4")
    }
    return (
        *(_torch(name, surroundings=surroundings) for name, surroundings in settings.items()),
        *(Configuration(name, 2, surroundings) for name, surroundings in targets.items() if _runs(name)),
        Configuration("NumPy without vectors", 1, {"NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3"}),
    )


def _runs(target: str) -> bool:
    """Whether this processor can run what is compiled for a target."""
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").is_file() else ""
    return "v4" not in target or "avx512bw" in flags


def _gpu() -> tuple[Configuration, ...]:
    import torch

    batches = (1, 2, 5, 64) if torch.cuda.is_available() else ()
    return tuple(Configuration(f"GPU, batch of {count}", 2, runner=GPU, batch=count) for count in batches)


_OPENVINO = tuple(
    Configuration(f"OpenVINO, {count} thread{'s' * (count > 1)}", count, runner=runners.OPENVINO) for count in (1, 2)
)
CONFIGURATIONS = (
    *(Configuration(f"{count} thread{'s' * (count > 1)}", count) for count in (1, 2, 3, 4)),
    *(Configuration(f"2 threads, fresh process {count}", 2) for count in (2, 3, 4, 5)),
    Configuration("images in reverse order", 2, backwards=True),
    *(Configuration(f"batch of {count}", 2, batch=count) for count in (2, 5)),
    Configuration("compiled for a generic processor", 1, {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}),
    *(_torch(f"{count} thread{'s' * (count > 1)}", count) for count in (1, 2, 3, 4)),
    *(_torch(f"batch of {count}", batch=count) for count in (2, 5)),
    _torch("channels first", forced="channels first"),
    _torch("channels first, batch of 5, 1 thread", 1, forced="channels first", batch=5),
    _torch("without oneDNN", forced="without oneDNN"),
    _torch("without oneDNN and NNPACK", 1, forced="without oneDNN and NNPACK"),
    *_x86(),
    *(_OPENVINO if find_spec("openvino") else ()),
    *_gpu(),
)
TO_RECORD = (Configuration("reference in plain NumPy", 1, runner=REFERENCE), *CONFIGURATIONS)  # three seconds an image


def images(count: int = IMAGES) -> tuple[str, list[NDArray[np.uint8]]]:
    """What they are, and grey images (rows, columns) of many sizes."""
    from radiomicnet_md import phantom

    data = os.environ.get("RADIOMICNET_MD_DATA")
    if data and (Path(data) / "busi_384").is_dir():
        return f"{count} images of BUSI (open splits)", _real(Path(data) / "busi_384", count)
    sizes = [(96 + 16 * (seed % 7), 128 + 24 * (seed % 5)) for seed in range(count)]
    drawn = [phantom.make(seed, *size, lesion=seed % 3 > 0).pixels for seed, size in enumerate(sizes)]
    return f"{count} drawn phantoms (no data folder)", drawn


def _real(folder: Path, count: int) -> list[NDArray[np.uint8]]:
    from radiomicnet_md.io import levels, opening

    rows = [line.split(",") for line in (folder / "splits.csv").read_text(encoding="utf-8").splitlines()[1:]]
    names = sorted(row[0] for row in rows if row[1] in {"train", "val"})
    step = max(1, len(names) // count)
    return [levels.grey(opening.read(folder / "images" / f"{name}.png").image) for name in names[::step][:count]]


def digests(given: Sequence[NDArray[np.uint8]], configuration: Configuration) -> Found:
    """SHA-256 of each stage over all images, and of the float network's logit, by this process."""
    from radiomicnet_md.engine.release import default_folder, open_release, trusted_keys

    _use_threads(configuration.threads)
    release = open_release(default_folder(), keys=trusted_keys())
    if configuration.runner == REFERENCE:
        with ProcessPoolExecutor() as pool:  # seconds an image, and each image alone
            return _hashes(list(pool.map(partial(_by_reference, release.files), given)))
    engine = Engine.load(release, None if configuration.runner == GPU else configuration.runner)
    found: list[dict[str, bytes]] = [{} for _ in given]
    order = range(len(given))[:: -1 if configuration.backwards else 1]
    with force(configuration.forced), _by_gpu(engine) if configuration.runner == GPU else nullcontext():
        engine.network = _Batched(engine.network, configuration.batch)
        for i in order:
            found[i] = _stages(engine, given[i], configuration)
    return _hashes(found)


def _hashes(found: Sequence[Mapping[str, bytes]]) -> Found:
    stages = [stage for stage in (*STAGES, FLOAT) if stage in found[0]]
    return {
        stage: hashlib.sha256(b"".join(hashlib.sha256(one[stage]).digest() for one in found)).hexdigest()
        for stage in stages
    }


class _Batched(runner.Runner):
    """An engine whose image stands several times in the batch; the last place answers."""

    def __init__(self, inner: runner.Runner, batch: int) -> None:
        self._inner, self._batch = inner, batch

    def runs(self, images: NDArray[np.uint8], many: Sequence[runner.Factors]) -> list[runner.Codes]:
        """As :meth:`radiomicnet_md.engine.runner.Runner.runs`."""
        found = self._inner.runs(np.concatenate([images] * self._batch), many)
        return [{name: array[-len(images) :] for name, array in codes.items()} for codes in found]


def _stages(engine: Engine, source: NDArray[np.uint8], configuration: Configuration) -> dict[str, bytes]:
    with _lesions_left_out() if find_spec("radiomics") is None else nullcontext():
        decision = engine.decide(source, None)
    device = "cuda" if configuration.runner == GPU else "cpu"
    floats = as_floats(engine, source, configuration.batch, device)
    return _integers(decision.stages, decision.contributions, decision.logit) | {
        FLOAT: np.ascontiguousarray(floats, dtype="<f4").tobytes()
    }


def _integers(
    stages: Mapping[str, str], contributions: NDArray[np.int64], logit: NDArray[np.int64]
) -> dict[str, bytes]:
    said = {name: bytes.fromhex(digest) for name, digest in stages.items()}
    integers = {"contributions": contributions, "logit": logit}
    return said | {name: np.ascontiguousarray(value, dtype="<i8").tobytes() for name, value in integers.items()}


def _by_reference(files: Mapping[str, bytes], source: NDArray[np.uint8]) -> dict[str, bytes]:
    from radiomicnet_md.engine.reference import whole

    answer = whole.decide(files, source)
    return _integers(answer.stages, answer.contributions, answer.logit)


@contextmanager
def _by_gpu(engine: Engine) -> Iterator[None]:
    """The network and the contributions of an engine by the GPU."""
    from radiomicnet_md.engine import contributions
    from radiomicnet_md.engine.gpu_engine import GpuEngine, GpuHead

    engine.network = GpuEngine(engine.program, engine.tensors, engine.spatial)
    there, plain = GpuHead(engine.head), contributions.attribute
    contributions.attribute = lambda head, outputs, codes: there.attribute(outputs, codes)  # noqa: ARG005 - its form
    try:
        yield
    finally:
        contributions.attribute = plain


@contextmanager
def _lesions_left_out() -> Iterator[None]:
    """Where PyRadiomics is absent: its values of the chosen regions are no stage."""
    from radiomicnet_md.radiomics import per_lesion

    plain = per_lesion.measure
    per_lesion.measure = lambda *_, **__: per_lesion.Lesion({}, 0, 0, None)
    try:
        yield
    finally:
        per_lesion.measure = plain


def as_floats(engine: Engine, source: NDArray[np.uint8], batch: int = 1, device: str = "cpu") -> NDArray[np.float32]:
    """The network's raw answer (gates + 1, h2, w2) by ordinary float32: the same program, nothing rounded."""
    import torch
    from torch.nn import functional

    from radiomicnet_md.engine import measure, program

    measured = measure.measure(source, engine.preprocessing)
    factors = engine.factors(measured.paper)

    def there(array: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(np.array(array, dtype=np.float32)).to(device)

    tensors = {name: there(array) for name, array in engine.tensors.items()}
    views = np.concatenate([engine.preprocessing.views(measured.levels)] * batch)
    values = {"image": there(views)}
    unit = 2.0**-program.CODE_BITS
    for operation in engine.program:
        match operation:
            case program.Conv(name, target, stride, groups, low, high):
                scale = tensors[f"{target}.scale"]
                weight = tensors[f"{target}.weight"] * scale[:, None, None, None]
                bias = tensors[f"{target}.bias"] * scale
                border = weight.shape[-1] // 2
                made = functional.conv2d(values[name], weight, bias, stride, border, groups=groups).clamp(low, high)
            case program.Add(left, right):
                made = values[left] + values[right]
            case program.Up(name):
                made = functional.interpolate(values[name], scale_factor=2.0, mode="nearest")
            case program.Gate(name, spatial, target, index):
                factor = there(factors[index]) * tensors[f"{target}.scale"]
                opened = torch.sigmoid(values[spatial] * unit) * 2**program.SIGMOID_BITS
                made = values[name] * opened * factor[:, None, None]
        values[operation.target] = made
    return np.asarray(made[-len(views) // batch].cpu().numpy())


@contextmanager
def force(what: str) -> Iterator[None]:
    """Compute every convolution of torch otherwise: channels first, or without a library; ``what`` says which."""
    import torch
    from torch.nn import functional

    plain = functional.conv2d

    def other(x: torch.Tensor, weight: torch.Tensor, *more: Any, **named: Any) -> torch.Tensor:  # noqa: ANN401
        return plain(x.contiguous(), weight.contiguous(), *more, **named)

    with ExitStack() as stack:
        if "oneDNN" in what:
            stack.enter_context(torch.backends.mkldnn.flags(enabled=False))
        if "NNPACK" in what:
            stack.enter_context(torch.backends.nnpack.flags(enabled=False))
        if "channels first" in what:
            functional.conv2d = other  # type: ignore[assignment]
            stack.callback(setattr, functional, "conv2d", plain)
        yield


def _use_threads(count: int) -> None:
    import numba
    import torch

    settings: Any = numba.config  # its names are made at run time
    torch.set_num_threads(count)
    numba.set_num_threads(min(count, settings.NUMBA_NUM_THREADS))


def elsewhere(configuration: Configuration, count: int) -> Found:
    """The digests by a process of its own."""
    threads = {
        "NUMBA_NUM_THREADS": str(max(configuration.threads, os.cpu_count() or 1)),
        "OMP_NUM_THREADS": str(configuration.threads),
    }
    command = [sys.executable, "-m", "radiomicnet_md_validation.determinism", "--one", configuration.name]
    found = subprocess.run(  # noqa: S603 - this module, by this interpreter
        [*command, "--images", str(count)],
        env=os.environ | threads | dict(configuration.surroundings),
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode:
        raise RuntimeError(found.stderr)
    answer: Found = json.loads(found.stdout.splitlines()[-1])
    return answer


def rows(count: int, configurations: Sequence[Configuration] = CONFIGURATIONS) -> dict[str, Found]:
    """Every configuration with its digests; as many at a time as have two cores each."""

    def one(configuration: Configuration) -> Found:
        sys.stderr.write(f"{configuration.name}\n")
        return elsewhere(configuration, count)

    with ThreadPoolExecutor(max(1, (os.cpu_count() or 1) // 2)) as pool:
        return dict(zip((c.name for c in configurations), pool.map(one, configurations), strict=True))


def page(found: Mapping[str, Found], what: str, kept: recorded.Recorded | None) -> str:
    """The whole page; ``kept`` is what another machine recorded of the same images and release."""
    import torch

    hashes = {stage: {one[stage] for one in found.values()} for stage in (*STAGES, FLOAT)}
    exact = max(len(hashes[stage]) for stage in STAGES)
    machine = f"{platform.machine()}, {os.cpu_count()} processor cores, Python {platform.python_version()}"
    lines = [
        "<!-- Made by `make determinism`. -->",
        "# One bit pattern of every decision",
        "",
        f"SHA-256 of each stage over {what}, by the shipped release; each line is a fresh process.",
        f"**{exact} hash{'' if exact == 1 else 'es'} of every stage in {len(found)} configurations**; the same network",
        f"in ordinary float32, nothing rounded, gives **{len(hashes[FLOAT])}**, with",
        "`torch.use_deterministic_algorithms(True)` in all of them.",
        "",
        f"{machine}, torch {torch.__version__}, NumPy {np.__version__}.",
        "Demonstration on public data, not clinical evidence.",
        "",
        *recorded.table(found, (*STAGES, FLOAT)),
        "",
        *recorded.section(found, kept, (*STAGES, FLOAT)),
    ]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Show or write the page, or print the digests of this process alone; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m radiomicnet_md_validation.determinism")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--write", action="store_true", help=f"write {PAGE} below the current folder")
    kind.add_argument("--record", type=Path, metavar="FILE", help="keep the hashes of this machine in a file")
    kind.add_argument("--one", help="print the digests of one configuration, computed by this process")
    parser.add_argument("--images", type=int, default=IMAGES, help="how many images")
    chosen = parser.parse_args(arguments)
    compiling.use_private_cache()
    what, given = images(chosen.images)
    if chosen.one is not None:
        import torch

        torch.use_deterministic_algorithms(mode=True)  # what others rely on; on a CPU the float hashes still differ
        (configuration,) = [one for one in TO_RECORD if one.name == chosen.one]
        sys.stdout.write(json.dumps(digests(given, configuration)) + "\n")
        return 0
    if chosen.record is not None:
        recorded.write(chosen.record, found := rows(chosen.images, TO_RECORD), given)
        return _code([*found.values()])
    found, kept = rows(chosen.images), recorded.fitting(given)
    made = page(found, what, kept)
    if chosen.write:
        PAGE.write_text(made, encoding="utf-8")
    else:
        sys.stdout.write(made)
    return _code([*found.values(), *(kept.rows.values() if kept else ())])


def _code(found: Sequence[Found]) -> int:
    """Of the process: whether every stage has one hash."""
    return DIFFERENT if any(len({one[stage] for one in found}) > 1 for stage in STAGES) else 0


if __name__ == "__main__":
    sys.exit(main())
