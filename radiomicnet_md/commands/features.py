# SPDX-License-Identifier: Apache-2.0
"""``features``: radiomic values and maps alone; a measurement, not a device result."""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radiomicnet_md.commands.call import Call
from radiomicnet_md.errors import ExitCode, InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from radiomicnet_md.image import Image

NOTICE = "measurement, not a device result"
_DIMENSIONS = 2
_EXAMPLE = """\
examples:
  radiomicnet-md features scan.png
  radiomicnet-md features scan.png --mask lesion.png --set all --json
  radiomicnet-md features scan.png --set named --maps maps --radius 4

No home is needed and nothing is recorded: this is a measurement, not a device result.
"""


def arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add what ``features`` takes."""
    del shared
    parser.epilog = _EXAMPLE
    parser.add_argument("input", metavar="INPUT", help="a grey image, 2-D, or 3-D with --set all")
    parser.add_argument("--mask", metavar="M", help="an image on the same grid, not 0 where to measure")
    parser.add_argument("--maps", metavar="DIR", help="also write a map per feature, <class>_<Feature>.nrrd")
    parser.add_argument("--set", choices=("paper", "named", "all"), default="paper", help="which features (paper)")
    parser.add_argument("--radius", type=int, default=4, metavar="R", help="window radius of the maps in pixels (4)")
    binning = parser.add_mutually_exclusive_group()
    binning.add_argument("--bin-count", type=int, metavar="N", help="grey levels by number")
    binning.add_argument("--bin-width", type=float, metavar="W", help="grey levels by width")


def run(call: Call) -> int:
    """Measure and print; write the maps if asked to."""
    _use_cache(call)
    from radiomicnet_md import io
    from radiomicnet_md.radiomics import features

    given = call.given
    image = io.read(Path(given.input)).image
    pixels = _plane(image)
    mask = None if given.mask is None else _plane(io.read(Path(given.mask)).image)
    spacing = image.spacing_mm if pixels.ndim == _DIMENSIONS else None
    binning: dict[str, Any] = {"bin_count": given.bin_count, "bin_width": given.bin_width}
    maps = {}
    if given.maps is not None:
        maps = features.maps(pixels, set_=given.set, radius=given.radius, **binning)
    rows = features.table(pixels, mask, set_=given.set, radius=given.radius, spacing=spacing, **binning)
    if not call.console.as_json:
        call.console.emit({}, NOTICE)
    for row in rows:
        value = f"{row.value:>16.9g}" if row.value is not None else f"{'undefined':>16}"
        text = f"{row.name:<44} {row.ibsi:<5} {value}  {row.unit if row.reason is None else row.reason}"
        call.console.emit({**asdict(row), "device_result": False}, text)
    for name, values in maps.items():
        from radiomicnet_md.io.maps import write_map

        write_map(Path(given.maps) / f"{name}.nrrd", values, spacing)
    call.console.note(f"{len(maps)} maps written to {given.maps}" if maps else NOTICE)
    return ExitCode.OK


def _plane(image: Image) -> NDArray[np.generic]:
    """The grey values as (rows, columns), or (slices, rows, columns)."""
    from radiomicnet_md.io.levels import single_channel

    channel = single_channel(image)
    if channel is None:
        raise InputError("E-FEATURES-COLOUR", "The image has colour.", remedy="Give a grey image.")
    return channel[0] if len(channel) == 1 else channel


def _use_cache(call: Call) -> None:
    """Compiled code goes to the home where there is one, else to the user's own cache."""
    from radiomicnet_md.home import use_private_cache

    home = call.settings().home
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "radiomicnet-md"
    use_private_cache(home if (home / "home.yaml").exists() else user)
