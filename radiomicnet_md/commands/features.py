# SPDX-License-Identifier: Apache-2.0
"""``features``: radiomic values and maps alone; a measurement, not a device result.

Rules of this module:

- Everything is measured before anything is shown or written; what is refused leaves no file and no folder.
- The first line says what was measured, with the digests of input and grey levels; then a line a value.
- Nothing is written over the image or the mask.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radiomicnet_md.commands.call import Call
from radiomicnet_md.errors import ConfigurationError, ExitCode, InputError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from radiomicnet_md.io.header import Header
    from radiomicnet_md.radiomics.features import Maps, Table

NOTICE = "measurement, not a device result"
FORMATS = ("nrrd", "nifti")
_EXAMPLE = """\
examples:
  radiomicnet-md features scan.png
  radiomicnet-md features scan.nii.gz --mask lesion.nii.gz --label 2 --set all --csv values.csv
  radiomicnet-md features scan.png --set named --maps maps --radius 4
  radiomicnet-md features scan.mha --mask lesion.mha --set all --maps maps --bin-count 32

Without a mask the whole image is measured. With one, the sets paper and named measure its bounding box;
the set all measures its region: 102 values in 2-D, 107 in 3-D, and maps that are NaN outside it.
No home is needed and nothing is recorded: this is a measurement, not a device result.
"""


def arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add what ``features`` takes."""
    del shared
    parser.epilog = _EXAMPLE
    parser.add_argument("input", metavar="INPUT", help="a grey image, 2-D, or 3-D with --set all")
    parser.add_argument("--mask", metavar="M", help="an image on the same grid, not 0 where to measure")
    parser.add_argument("--label", type=int, metavar="L", help="which label of a mask that holds several")
    parser.add_argument("--set", choices=("paper", "named", "all"), default="paper", help="which features (paper)")
    parser.add_argument("--csv", metavar="FILE", help="also write the values as CSV")
    parser.add_argument("--maps", metavar="DIR", help="also write a map per feature, <class>_<Feature>.nrrd")
    parser.add_argument("--format", choices=FORMATS, default="nrrd", help="form of the maps (nrrd)")
    parser.add_argument(
        "--radius", type=int, metavar="R", help="window radius of the maps in pixels (4; with --set all 1, at most 4)"
    )
    binning = parser.add_mutually_exclusive_group()
    binning.add_argument("--bin-count", type=int, metavar="N", help="grey levels by number")
    binning.add_argument("--bin-width", type=float, metavar="W", help="grey levels by width")


@dataclass(frozen=True, slots=True)
class _Grey:
    """A grey image: measured values (rows, columns) or (slices, rows, columns), its header and the file's digest."""

    values: NDArray[np.generic]
    header: Header
    file_sha256: str

    @property
    def spacing(self) -> tuple[float, ...] | None:
        """Millimetres along each axis of ``values``."""
        steps = self.header.spacing_mm
        return None if steps is None else steps[-self.values.ndim :]


def run(call: Call) -> int:
    """Measure, write what is asked for, and print."""
    from radiomicnet_md import compiling

    given = call.given
    compiling.use_private_cache()
    from radiomicnet_md.radiomics import features

    _check_places(given, features.NAMES[given.set])
    image = _read(given.input)
    mask = None if given.mask is None else _read_mask(given.mask, image)
    options: dict[str, Any] = {
        "set_": given.set,
        "radius": features.RADIUS[given.set] if given.radius is None else given.radius,
        "bin_count": given.bin_count,
        "bin_width": given.bin_width,
        "spacing": image.spacing,
        "label": given.label,
    }
    table = features.table(image.values, mask, **options)
    head = _head(given, image, table)
    if given.maps is not None:
        with _progress(call) as progress:
            maps = features.maps(image.values, mask, progress=progress, **options)
            if given.set == "all":
                compiling.announce(call.console.note, "families")
            head["maps"] = _write_maps(given, maps, image.header, options["radius"])
    if given.csv is not None:
        _write_csv(Path(given.csv), table)
    _show(call, head, table)
    return ExitCode.OK


def _check_places(given: argparse.Namespace, names: Sequence[str]) -> None:
    """Refuse what does not go together, and places that cannot take the output, before anything is measured."""
    from radiomicnet_md.io import maps

    if given.label is not None and given.mask is None:
        raise UsageError(
            "E-FEATURES-LABEL",
            "A label needs a mask that holds it.",
            remedy="Name the mask with --mask, or drop --label.",
        )
    written = []
    if given.csv is not None:
        written.append(file := Path(given.csv))
        if file.is_dir() or not file.parent.is_dir():
            raise ConfigurationError(
                "E-OUTPUT-FOLDER",
                "The CSV file would be a folder, or lie in one that does not exist.",
                remedy="Name a file in an existing folder with --csv.",
            )
    if given.maps is not None:
        maps.check_folder(Path(given.maps))
        written += [Path(given.maps) / f"{name}{maps.SUFFIXES[given.format]}" for name in names]
    sources = [Path(name) for name in (given.input, given.mask) if name is not None and Path(name).exists()]
    if any(file.exists() and file.samefile(source) for file in written for source in sources):
        raise UsageError(
            "E-OUTPUT-INPUT",
            "The output would be written over the image or the mask.",
            remedy="Name another place with --maps or --csv.",
        )


def _read(name: str) -> _Grey:
    """The grey values of a file, rescaled where the file says so."""
    from radiomicnet_md.io import read
    from radiomicnet_md.io.header import header
    from radiomicnet_md.io.levels import single_channel

    reading = read(Path(name))
    said = header(Path(name), reading)
    channel = single_channel(reading.image)
    if channel is None:
        raise InputError("E-FEATURES-COLOUR", "The image has colour or transparency.", remedy="Give a grey image.")
    stored = channel[0] if len(channel) == 1 else channel
    return _Grey(said.measured(stored), said, reading.image.origin.file_sha256)


def _read_mask(name: str, image: _Grey) -> NDArray[np.generic]:
    """The mask's samples; where both files say where they lie, they must say the same."""
    from radiomicnet_md.io.header import difference

    try:
        mask = _read(name)
    except InputError as error:
        raise InputError(error.code, f"The mask: {error}", remedy=error.remedy) from None
    if mask.values.shape == image.values.shape and (what := difference(mask.header, image.header)):
        raise InputError(
            "E-MASK-GEOMETRY",
            f"Mask and image differ in {what}.",
            remedy="Give a mask on the image's own grid, or resample it to that.",
        )
    return mask.values


def _head(given: argparse.Namespace, image: _Grey, table: Table) -> dict[str, Any]:
    """What was measured, as the first object of ``--json``."""
    return {
        "name": "measurement",
        "device_result": False,
        "input": given.input,
        "input_sha256": image.file_sha256,
        "shape": list(image.values.shape),
        "spacing_mm": None if image.spacing is None else list(image.spacing),
        "rescale": None if image.header.rescale is None else list(image.header.rescale),
        "mask": given.mask,
        "mask_sha256": table.mask_sha256,
        "label": table.label,
        "set": given.set,
        "pixels": table.pixels,
        **asdict(table.levels),
        "maps": None,
    }


def _write_maps(given: argparse.Namespace, maps: Maps, header: Header, radius: int) -> dict[str, Any]:
    """Write them and tell what was written."""
    from radiomicnet_md.io.maps import write_maps

    count = write_maps(Path(given.maps), maps.planes, header, given.format)
    return {"folder": given.maps, "format": given.format, "count": count, "radius": radius, **asdict(maps.levels)}


def _write_csv(path: Path, table: Table) -> None:
    """One header row and a row a value (RFC 4180); a value is the shortest decimal that reads back the same."""
    from radiomicnet_md.io.files import place

    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(("name", "ibsi", "value", "unit", "reason"))
    for row in table.rows:
        rows.writerow((row.name, row.ibsi, "" if row.value is None else repr(row.value), row.unit, row.reason or ""))
    place(path, text.getvalue().encode())


def _show(call: Call, head: Mapping[str, Any], table: Table) -> None:
    """The first line and the values."""
    width = max(len(row.name) for row in table.rows)
    titles = f"{'name':<{width}}  {'IBSI':<4}  {'value':>16}  unit"
    call.console.emit(head, f"{NOTICE}\n{_told(head)}\n\n{titles}")
    for row in table.rows:
        value, last = ("undefined", row.reason) if row.value is None else (f"{row.value:.9g}", row.unit)
        exact = None if row.value is None else row.value.hex()
        text = f"{row.name:<{width}}  {row.ibsi:<4}  {value:>16}  {last}"
        call.console.emit({**asdict(row), "hex": exact, "device_result": False}, text)
    if call.console.as_json:
        call.console.note(NOTICE)


def _told(head: Mapping[str, Any]) -> str:
    """What was measured, in lines."""
    unit = "unknown pixel size" if head["spacing_mm"] is None else f"{_by(head['spacing_mm'])} mm"
    where = "the whole image"
    if head["mask"] is not None:
        where = f"label {head['label']:g} of {head['mask']}"
        where = where if head["set"] == "all" else f"the bounding box of {where}"
    width = "" if head["bin_width"] is None else f" of width {head['bin_width']:g}"
    lines = [
        f"image   {head['input']}: {_by(head['shape'])} px, {unit}",
        f"region  {where}: {head['pixels']} px",
        f"levels  {head['level_count']}{width}, sha256 {head['levels_sha256']}",
    ]
    if head["rescale"] is not None:
        lines.insert(1, f"values  stored value x {head['rescale'][0]:g} + {head['rescale'][1]:g}, as the file says")
    if (maps := head["maps"]) is not None:
        lines.append(f"maps    {maps['count']} in {maps['folder']}, window radius {maps['radius']} px")
    return "\n".join(lines)


def _by(sizes: Sequence[float]) -> str:
    return " x ".join(f"{size:.6g}" for size in sizes)


@contextmanager
def _progress(call: Call) -> Iterator[Callable[[float], None] | None]:
    """Something to tell the finished share to, where a person watches and there is something to watch."""
    if call.given.set != "all" or call.console.quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console as Screen
    from rich.progress import Progress

    with Progress(console=Screen(stderr=True), transient=True) as bar:
        task = bar.add_task("measuring 93 maps", total=1.0)
        yield lambda share: bar.update(task, completed=share)
