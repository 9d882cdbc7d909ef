# SPDX-License-Identifier: Apache-2.0
"""Depthwise convolutions whose backward pass is quick on a CPU; the same numbers up to rounding.

Rules of this module:

- Only training changes: forward results and the names of parameters stay those of ``torch.nn.Conv2d``.
- The gradient of the weights is counted by a compiled loop in float32. oneDNN's own takes ten times as long in
  bfloat16 (measured: two thirds of a training step), and its gradient of the input at stride 2 twenty times
  as long as in float32.
- On another device than a CPU the layer is torch's own.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional


@numba.njit(cache=True, nogil=True, fastmath=True)  # the order of a sum in float is free here
def _weight_gradient(x: NDArray[np.float32], g: NDArray[np.float32], kernel: int, stride: int) -> NDArray[np.float32]:
    """Padded input (N, H, W, C) and output gradient (N, h, w, C) to (kernel², C)."""
    cases, rows, columns, channels = g.shape
    out = np.zeros((kernel * kernel, channels), np.float32)
    for n in range(cases):
        for row in range(rows):
            outer = g[n, row]
            for r in range(kernel):
                inner = x[n, row * stride + r]
                for c in range(kernel):
                    total = out[r * kernel + c]
                    for column in range(columns):
                        left, right = outer[column], inner[column * stride + c]
                        for channel in range(channels):
                            total[channel] += left[channel] * right[channel]
    return out


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:  # noqa: ANN401
        """(N, C, H, W) and (C, 1, k, k) to (N, C, H/stride, W/stride), same padding."""
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return functional.conv2d(x, weight, None, stride, weight.shape[-1] // 2, groups=weight.shape[0])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, None]:  # noqa: ANN401
        """Gradients of the input and of the weight."""
        (g,) = gradients
        x, weight = ctx.saved_tensors
        kernel, stride, channels = weight.shape[-1], ctx.stride, weight.shape[0]
        border = kernel // 2
        wide = functional.pad(x.permute(0, 2, 3, 1).float(), (0, 0, border, border, border, border)).contiguous()
        tall = g.permute(0, 2, 3, 1).float().contiguous()
        counted = torch.from_numpy(_weight_gradient(wide.numpy(), tall.numpy(), kernel, stride))  # (k², C)
        weight_gradient = counted.T.reshape(weight.shape).to(weight.dtype)
        if not ctx.needs_input_grad[0]:
            return None, weight_gradient, None
        kind = torch.float32 if stride > 1 else x.dtype
        moved = torch.ops.aten.convolution_backward(
            g.to(kind, memory_format=torch.channels_last),
            x.to(kind, memory_format=torch.channels_last),
            weight.to(kind),
            None,
            [stride] * 2,
            [border] * 2,
            [1, 1],
            False,  # noqa: FBT003 - positional in this operator
            [0, 0],
            channels,
            [True, False, False],
        )[0]
        return moved.to(x.dtype), weight_gradient, None


class _QuickConv(nn.Conv2d):
    """A depthwise convolution with the quick backward pass."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H/stride, W/stride)."""
        if x.device.type != "cpu" or not torch.is_grad_enabled():
            return super().forward(x)
        kind = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else self.weight.dtype
        result: Tensor = _Depthwise.apply(x.to(kind), self.weight.to(kind), self.stride[0])  # type: ignore[no-untyped-call]
        return result if self.bias is None else result + self.bias.to(kind)[:, None, None]


def quicken(network: nn.Module) -> None:
    """Give every square, same-padded depthwise convolution of a network the quick backward pass, in place."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Conv2d and _is_depthwise(child):
                quick = _QuickConv.__new__(_QuickConv)
                quick.__dict__ = child.__dict__  # the same parameters, under the same names
                setattr(module, name, quick)


def _is_depthwise(conv: nn.Conv2d) -> bool:
    size = conv.kernel_size[0]
    return (
        conv.groups == conv.in_channels == conv.out_channels > 1
        and conv.kernel_size == (size, size)
        and conv.padding == (size // 2, size // 2)
        and conv.padding_mode == "zeros"
        and conv.dilation == (1, 1)
        and conv.stride in {(1, 1), (2, 2)}
        and size % 2 == 1
    )
