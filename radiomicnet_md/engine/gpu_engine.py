# SPDX-License-Identifier: Apache-2.0
"""Runs a program on a GPU: the integers of the CPU's engines to the last bit, because nothing here can leave them.

Rules of this module:

- No routine of cuDNN is called. It may answer with Winograd's or Fourier's algorithm, whose inner numbers are no
  integers: of a 5 × 5 layer over 32 channels, 530,392 of 589,824 sums were wrong by up to 0.3125 on an H200.
- A dense convolution is one product of matrices in float32: of the pixels themselves for a 1 × 1 kernel, of their
  neighbourhoods, copied, for a larger one. Every partial sum of such a product is an integer below 2**24 (proven when
  the release is built), so no order, split or fused multiply-add of cuBLAS can change it. TensorFloat-32 and emulation
  by narrower types are off: they promise no such thing.
- A depthwise convolution is torch's own loop over the kernel's places, which adds products in float32.
- Then come, as :mod:`radiomicnet_md.engine.program` defines them, one addition of the bias (an integer, exact), one
  product, one rounding half to even and one clamp. They are one kernel, compiled on the spot: an addition before a
  product cannot be fused with it, and no other rounding stands between them.
- A gate's table and the head's tables are looked up; their sums are integers in 64 bits.
- Torch's deterministic algorithms are asked for, and every setting is looked at before each image.

It does not decide cases: the device runs the compiled loops. It is compared with them, and timed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from radiomicnet_md.engine.contributions import Evidence, Head
from radiomicnet_md.engine.program import HIDDEN, STREAM, Add, Conv, Gate, Operation, Tensors, Up
from radiomicnet_md.engine.runner import Codes, Factors, Interpreter
from radiomicnet_md.errors import ConfigurationError

DEVICE = "cuda"
WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
SETTINGS = {"deterministic algorithms": True, "float32 of cuBLAS": "ieee", WORKSPACE: ":4096:8"}
LOSSY = ("NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "CUBLAS_EMULATE_SINGLE_PRECISION")
_PROBE = 4097.0, 4095.0  # 2**24 - 1, and neither factor fits TensorFloat-32

_CODE = "template <typename T> T {name}(T a, T b, T c, T low, T high) {{ return fminf(fmaxf({what}, low), high); }}"
_REQUANTISED = _CODE.format(name="requantised", what="rintf((a + b) * c)")
_GATED = _CODE.format(name="gated", what="rintf((a * b) * c)")
_ADDED = "template <typename T> T added(T a, T b, T low, T high) { return fminf(fmaxf(a + b, low), high); }"


class GpuEngine(Interpreter[Tensor]):
    """A program with its tensors on a GPU, ready to run; immutable after construction."""

    def __init__(
        self, operations: tuple[Operation, ...], tensors: Tensors, sigmoid: NDArray[np.integer], device: str = DEVICE
    ) -> None:
        """Bring every tensor to the device once; ``sigmoid`` is the spatial table over codes −511 … 511.

        :param device: ``cpu`` runs the same products and look-ups without a GPU, for tests
        :raises ConfigurationError: E-GPU where no GPU can be used, E-GPU-SETTINGS where it would not be exact
        """
        if device == DEVICE:
            use_exact_settings()
        super().__init__(operations)
        self._device = device
        self._sigmoid = self._tensor(sigmoid)
        self._tensors = {name: self._tensor(array) for name, array in tensors.items()}

    def runs(self, images: NDArray[np.uint8], many: Sequence[Factors]) -> list[Codes]:
        """See :meth:`radiomicnet_md.engine.runner.Runner.runs`."""
        with torch.inference_mode():
            return super().runs(images, many)

    def evaluate(self, given: Tensor, many: Sequence[Any]) -> list[dict[str, Tensor]]:
        """:meth:`runs` from canvases as float32 on the device to float32 there; ``many`` may lie there too.

        :raises ConfigurationError: E-GPU-SETTINGS where a setting was changed since the engine was made
        """
        if self._device == DEVICE:
            refuse_other_settings()
        return super().evaluate(given, many)

    def _given(self, images: NDArray[np.uint8]) -> Tensor:
        return self._tensor(images)

    def _tensor(self, array: Any) -> Tensor:  # noqa: ANN401 - an array here or a tensor there
        return torch.as_tensor(array, device=self._device).to(torch.float32)

    def _apply(self, operation: Operation, values: dict[str, Tensor], factors: Factors) -> Tensor:
        match operation:
            case Conv(source, target, stride, groups, low, high):
                bias, scale = (self._tensors[f"{target}.{part}"][:, None, None] for part in ("bias", "scale"))
                weight = self._tensors[f"{target}.weight"]
                total = (_depthwise if groups > 1 else _dense)(values[source], weight, stride)
                return _fused(_REQUANTISED, total, bias, scale, low, high)
            case Add(left, right):
                return _fused(_ADDED, values[left], values[right], None, *STREAM)
            case Up(source):
                return functional.interpolate(values[source], scale_factor=2.0, mode="nearest")
            case Gate(source, spatial, target, index):
                attention = self._sigmoid[(values[spatial] + (len(self._sigmoid) // 2)).long()]
                factor = self._tensor(factors[index]) * self._tensors[f"{target}.scale"]
                return _fused(_GATED, values[source], attention, factor[..., None, None], -HIDDEN[1], HIDDEN[1])

    def _codes(self, value: Tensor, target: str) -> NDArray[np.int16]:  # noqa: ARG002 - a tensor has only its own channels
        return np.asarray(value.to(torch.int16).cpu().numpy())


class GpuHead:
    """The head's integer tables on a GPU."""

    def __init__(self, head: Head, device: str = DEVICE) -> None:
        """Bring them there once."""
        self._device, self._names, self._bias = device, len(head.names), head.bias
        self._phi, self._gate, self._rest = (torch.tensor(t, device=device) for t in (head.phi, head.gate, head.rest))
        self._maps = torch.arange(len(head.phi), device=device)[:, None, None]

    def sums(self, outputs: Tensor, codes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logit (…, h2, w2), contributions (…, names, h2, w2) and rest (…, h2, w2), 64-bit integers on the device.

        :param outputs: output codes (…, views, gates + 1, h2, w2)
        :param codes: codes of the maps (…, maps, h2, w2), 64-bit integers
        """
        places = outputs.long() + STREAM[1]
        opened = self._gate[places[..., :-1, :, :]].sum(-4)
        opened = torch.cat([opened] * (len(self._maps) // opened.shape[-3]), -3)  # map m has gate m % gates
        given = opened * self._phi[self._maps, codes]
        shape = *given.shape[:-3], -1, self._names, *given.shape[-2:]
        contributions = given.reshape(shape).sum(-4)  # and name m % names
        rest = self._rest[places[..., -1, :, :]].sum(-3)
        return self._bias + contributions.sum(-3) + rest, contributions, rest

    def attribute(self, outputs: NDArray[np.int16], codes: NDArray[np.uint8]) -> Evidence:
        """As :func:`radiomicnet_md.engine.contributions.attribute`."""
        with torch.inference_mode():
            found = self.sums(*(torch.tensor(array, device=self._device).long() for array in (outputs, codes)))
        return Evidence(*(part.cpu().numpy() for part in found))


def use_exact_settings() -> None:
    """Set what :data:`SETTINGS` says, and try the largest sum; E-GPU where there is no GPU that torch can use."""
    if not torch.cuda.is_available():
        raise ConfigurationError(
            "E-GPU", "torch finds no GPU that it could use", remedy="use another engine; the bits are the same"
        )
    os.environ[WORKSPACE] = str(SETTINGS[WORKSPACE])  # read by cuBLAS when it is first used
    torch.use_deterministic_algorithms(mode=True)
    torch.backends.cuda.matmul.fp32_precision = "ieee"
    refuse_other_settings()
    first, second = (torch.full((64, 64), value, device=DEVICE).tril().triu() for value in _PROBE)
    if not bool(((first @ second).diagonal() == _PROBE[0] * _PROBE[1]).all()):
        raise _lossy("a product of matrices loses bits on this GPU")


def settings() -> dict[str, object]:
    """What is set just now, by the names of :data:`SETTINGS`."""
    return {
        "deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        "float32 of cuBLAS": torch.backends.cuda.matmul.fp32_precision,
        WORKSPACE: os.environ.get(WORKSPACE, ""),
    }


def refuse_other_settings() -> None:
    """E-GPU-SETTINGS where a setting is not as :data:`SETTINGS` says, or a variable asks for narrower arithmetic."""
    asked = {name: os.environ[name] for name in LOSSY if os.environ.get(name, "0") != "0"}
    wrong = asked | {name: value for name, value in settings().items() if value != SETTINGS[name]}
    if wrong:
        raise _lossy(", ".join(f"{name} is {value}" for name, value in wrong.items()))


def _lossy(why: str) -> ConfigurationError:
    return ConfigurationError(
        "E-GPU-SETTINGS", f"a GPU would not be exact: {why}", remedy="let nothing else set how torch computes"
    )


def _dense(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    """A convolution over all channels as one product of matrices."""
    outputs, _, kernel, _ = weight.shape
    if kernel > 1:
        border = kernel // 2
        x = functional.pad(x, (border, border, border, border))
        x = x.unfold(2, kernel, stride).unfold(3, kernel, stride).permute(0, 1, 4, 5, 2, 3).flatten(1, 3)
    sums = torch.bmm(weight.view(1, outputs, -1).expand(len(x), -1, -1), x.flatten(2))
    return sums.view(len(x), outputs, *x.shape[2:])


def _depthwise(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    """A convolution of each channel alone."""
    kernel, places = list(weight.shape[2:]), ([stride, stride], [weight.shape[-1] // 2] * 2)
    if x.is_cuda:
        result: Tensor = torch.ops.aten._conv_depthwise2d(x, weight, kernel, None, *places, [1, 1])  # noqa: SLF001
        return result
    return functional.conv2d(x, weight, None, *places, groups=len(weight))


def _fused(  # noqa: PLR0913 - three numbers of a pixel and two limits
    code: str, a: Tensor, b: Tensor, c: Tensor | None, low: int, high: int
) -> Tensor:
    """One of the three elementwise codes; without a GPU the same steps by torch, one by one."""
    if a.is_cuda:
        result: Tensor = _kernel(code)(*(t for t in (a, b, c) if t is not None), low=float(low), high=float(high))
        return result
    total = a * b if code is _GATED else a + b
    return (total if c is None else (total * c).round_()).clamp_(low, high)


@cache
def _kernel(code: str) -> Callable[..., Tensor]:
    """An elementwise kernel, compiled for the GPU when it is first called."""
    made: Callable[..., Tensor] = torch.cuda.jiterator._create_jit_fn(code, low=0.0, high=0.0)  # noqa: SLF001 - its door
    return made
