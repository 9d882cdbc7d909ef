# SPDX-License-Identifier: Apache-2.0
"""An argument becomes cases: a file, a folder, a DICOMDIR or a ZIP file stands for the images in it.

Rules of this module:

- A folder lists every file that is, or by its name claims to be, an image: a broken one is then refused with a
  record instead of passed over in silence. Subfolders and hidden files are left out.
- A DICOMDIR (PS3.10, 8.6) stands for the images that it names, below its own folder and nowhere else; so does a folder
  that holds one, beside its own files.
- A multi-frame ultrasound file is one case a frame, where its header says so and has at most ``MAX_FRAMES``.
- What stands for several files is one person's. Of two persons, none of it is decided.
- The same object twice is decided once; two contents under one SOP instance UID are both refused.
- Slices of a volume that do not fit together (``series``) are refused as what they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from radiomicnet_md.image import Frame
from radiomicnet_md.io import archive
from radiomicnet_md.io.inputs import SUFFIXES, Input
from radiomicnet_md.io.source import UnreadableError, load, sniff, stamp_of

if TYPE_CHECKING:
    from radiomicnet_md.io.survey import Said

_HEAD_BYTES = 1024
_INDEX = "DICOMDIR"

_Found = TypeVar("_Found", Path, str)


def stands_for_several(path: Path) -> bool:
    """Whether a path is a folder, a DICOMDIR or a ZIP file."""
    return path.is_dir() or (path.name.upper() == _INDEX and path.is_file()) or _starts_as_zip(path)


def expand(path: Path) -> tuple[Input, ...]:
    """The cases that an argument stands for, in the order of their names.

    Raises:
        UnreadableError: E-INPUT-MISSING, -PERMISSION, -NO-IMAGES, -INDEX, -ARCHIVE, -ARCHIVE-UNSAFE, -TOO-LARGE.
    """
    if path.is_dir():
        return _surveyed([_listed(item) for item in find_inputs(path)])
    if path.name.upper() == _INDEX and path.is_file():
        return _surveyed([_listed(item) for item in _some(_indexed(path))])
    if _starts_as_zip(path):
        stamp = _stamp(path)
        names = _some([name for name in archive.members(path) if _is_candidate_member(path, name)])
        return _surveyed([Input(path, name, stamp=stamp) for name in names])
    return _surveyed([_listed(path)])


def find_inputs(path: Path) -> tuple[Path, ...]:
    """List the image files of a folder in the order of their names; a file stands for itself.

    An index among them that cannot be read stands for itself, so that its refusal is recorded.

    Raises:
        UnreadableError: E-INPUT-MISSING, E-INPUT-PERMISSION, E-INPUT-NO-IMAGES.
    """
    try:
        if path.is_file():
            return (path,)
        items = sorted(path.iterdir())
        found = [item for item in items if _is_candidate(item)]
        indexes = [item for item in items if item.name.upper() == _INDEX and item.is_file()]
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise UnreadableError(
            "E-INPUT-MISSING", "The input folder does not exist.", remedy="Check the path for a typing error."
        ) from None
    except OSError:
        raise UnreadableError(
            "E-INPUT-PERMISSION",
            "The input folder may not be read by this account.",
            remedy="Grant this account read access to the folder.",
        ) from None
    named = [item for index in indexes for item in _named_or_itself(index)]
    return tuple(_some(list(dict.fromkeys([*found, *named]))))


def _some(found: Sequence[_Found]) -> Sequence[_Found]:
    if not found:
        raise UnreadableError(
            "E-INPUT-NO-IMAGES",
            "The folder holds no image file.",
            remedy="Give a folder that itself holds DICOM, PNG, JPEG, TIFF, NIfTI, NRRD or MHA files.",
        )
    return found


def _is_candidate(item: Path) -> bool:
    if item.name.startswith(".") or item.name.upper() == _INDEX or not item.is_file():
        return False
    if item.name.lower().endswith(SUFFIXES):
        return True
    try:
        with item.open("rb") as file:
            return _is_image(file.read(_HEAD_BYTES))
    except OSError:
        return False


def _is_candidate_member(path: Path, member: str) -> bool:
    name = member.rpartition("/")[2]
    if name.startswith(".") or name.upper() == _INDEX or member.startswith("__MACOSX/"):
        return False
    return name.lower().endswith(SUFFIXES) or _is_image(archive.head(path, member, _HEAD_BYTES))


def _is_image(head: bytes) -> bool:
    try:
        return sniff(head) not in {"gzip", "zip"}
    except UnreadableError:
        return False


def _starts_as_zip(path: Path) -> bool:
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return sniff(file.read(_HEAD_BYTES)) == "zip"
    except (OSError, ValueError, UnreadableError):
        return False


def _listed(path: Path) -> Input:
    return Input(path, stamp=_stamp(path))


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        return stamp_of(path.stat())
    except (OSError, ValueError):
        return None


def _indexed(index: Path) -> list[Path]:
    """The files of the images that a DICOMDIR names."""
    from radiomicnet_md.io import survey

    return [index.parent.joinpath(*parts) for parts in survey.image_files(load(index))]


def _named_or_itself(index: Path) -> list[Path]:
    try:
        return _indexed(index)
    except UnreadableError:
        return [index]


@dataclass(frozen=True, slots=True)
class _Seen:
    item: Input
    said: Said | None  # None for what is no DICOM file, or cannot be read


def _surveyed(items: Iterable[Input]) -> tuple[Input, ...]:
    """The same inputs with what is wrong with them together, each object once, and frame by frame."""
    from radiomicnet_md.io import survey

    seen = [_Seen(item, survey.look(item)) for item in items]
    if len(seen) > 1:
        seen = _one_person(_each_once(seen))
        problems = survey.slices([one.said for one in seen])
        seen = [
            one if problem is None or one.item.problem else replace(one, item=replace(one.item, problem=problem))
            for one, problem in zip(seen, problems, strict=True)
        ]
    return tuple(item for one in seen for item in _frames(one))


def _frames(one: _Seen) -> Iterable[Input]:
    if one.said is None or one.said.frames is None:
        return (one.item,)
    frames = one.said.frames
    return (replace(one.item, frame=Frame(number, frames)) for number in range(1, frames + 1))


def _one_person(seen: list[_Seen]) -> list[_Seen]:
    people = {one.said.person for one in seen if one.said is not None and one.said.person is not None}
    if len(people) < 2:  # noqa: PLR2004 - one person, or nobody named
        return seen
    problem = UnreadableError(
        "E-STUDY-PATIENTS",
        f"The images that were given together are of {len(people)} patients.",
        remedy="Give the images of each patient in a folder of their own, or name the files one by one.",
    )
    return [one if one.said is None else replace(one, item=replace(one.item, problem=problem)) for one in seen]


def _each_once(seen: list[_Seen]) -> list[_Seen]:
    """Leave out a second copy of an object; refuse all that go by one UID with different contents."""
    from radiomicnet_md.io import survey

    kept: list[tuple[int, _Seen]] = [(at, one) for at, one in enumerate(seen) if not _uid(one)]
    known = sorted(((_uid(one), at, one) for at, one in enumerate(seen) if _uid(one)), key=lambda entry: entry[:2])
    for _, group in groupby(known, key=lambda entry: entry[0]):
        same = [(at, one) for _, at, one in group]
        if len(same) > 1:
            contents = {survey.content(one.item) for _, one in same}
            if len(contents) == 1:
                same = same[:1]
            else:
                problem = UnreadableError(
                    "E-STUDY-DUPLICATE",
                    f"{len(same)} files go by the same SOP instance UID and differ in content.",
                    remedy="Find out which of them is the right one, and give that alone.",
                )
                same = [(at, replace(one, item=replace(one.item, problem=problem))) for at, one in same]
        kept += same
    return [one for _, one in sorted(kept, key=lambda entry: entry[0])]


def _uid(one: _Seen) -> str:
    return "" if one.said is None else one.said.instance
