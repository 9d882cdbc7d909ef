# SPDX-License-Identifier: Apache-2.0
"""Tiles hold the tree's hashes under the names that C2SP gives them, and the proof of every entry comes out of them."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radiomicnet_md_audit import checkpoint, merkle, proof, tiles
from radiomicnet_md_audit.__main__ import main
from radiomicnet_md_audit.checkpoint import Checkpoint
from radiomicnet_md_audit.errors import ExitCode, IntegrityError, RecordError
from radiomicnet_md_audit.merkle import HASH_BYTES
from radiomicnet_md_audit.tiles import Tile
from tests.audit.sites import Site
from tests.audit.small_logs import KEYS, ORIGIN

pytestmark = pytest.mark.verifies("SRS-LOG-003")

LARGEST = 70_000  # reaches the third level of tiles


def leaf(index: int) -> bytes:
    return hashlib.sha256(b"%d" % index).digest()


@cache
def nodes() -> dict[tuple[int, int], bytes]:
    """Every node of a tree of the largest size; those of a smaller one are among them."""
    tree = merkle.Frontier()
    return {(node.level, node.index): node.hash for index in range(LARGEST) for node in tree.append(leaf(index))}


def node(level: int, index: int) -> bytes:
    return nodes()[level, index]


def content(tile: Tile) -> bytes:
    first = tiles.WIDTH * tile.number
    return b"".join(node(tiles.HEIGHT * tile.level, at) for at in range(first, first + tile.width))


def files(size: int) -> dict[str, bytes]:
    return {tile.path: content(tile) for tile in tiles.of_tree(size)}


def note(size: int) -> str:
    return checkpoint.issue(Checkpoint(ORIGIN, size, merkle.root(node, size)), KEYS, 0)


@pytest.mark.parametrize(
    ("tile", "path"),
    [  # the first two are those of c2sp.org/tlog-tiles
        (Tile(0, 1234067, 256), "tile/0/x001/x234/067"),
        (Tile(1, 0, 17), "tile/1/000.p/17"),
        (Tile(0, 0, 256), "tile/0/000"),
        (Tile(0, 999, 1), "tile/0/999.p/1"),
        (Tile(2, 1000, 256), "tile/2/x001/000"),
        (Tile(3, 1_000_007, 255), "tile/3/x001/x000/007.p/255"),
    ],
)
def test_a_tile_has_its_one_name(tile: Tile, path: str) -> None:
    assert tile.path == path


@given(st.integers(0, 1 << 22))
@settings(max_examples=60, deadline=None)
def test_the_tiles_of_a_tree_hold_each_complete_node_once(size: int) -> None:
    made = list(tiles.of_tree(size))
    assert len({tile.path for tile in made}) == len(made)
    for level in range(4):
        own = [tile for tile in made if tile.level == level]
        assert sum(tile.width for tile in own) == size >> 8 * level
        assert [tile.number for tile in own] == list(range(len(own)))
        assert all(tile.width == 256 for tile in own[:-1])
        assert all(1 <= tile.width <= 256 for tile in own)


@given(st.integers(1, LARGEST), st.data())
@settings(max_examples=80, deadline=None)
def test_the_proof_of_every_entry_comes_out_of_them(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    head, read = note(size), []

    def tile(path: str) -> bytes:
        read.append(path)
        return content(next(one for one in tiles.of_tree(size) if one.path == path))

    made = tiles.inclusion(tile, index, head)
    assert made == proof.Inclusion(index, tuple(merkle.inclusion(node, index, size)), head)
    assert len(read) <= 2 * 3  # two a level, and few levels: no need to carry the whole tree


@pytest.mark.parametrize("size", [1, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537])
def test_at_the_edges_of_tiles(size: int) -> None:
    laid, head = files(size), note(size)
    for index in {0, size // 2, size - 1}:
        made = tiles.inclusion(laid.__getitem__, index, head)
        merkle.verify_inclusion(leaf(index), index, size, made.path, merkle.root(node, size))


def test_a_changed_tile_gives_no_proof() -> None:
    laid, head, read = files(600), note(600), []
    tiles.inclusion(lambda path: (read.append(path), laid[path])[1], 3, head)
    assert set(read) == {"tile/0/000", "tile/0/002.p/88", "tile/1/000.p/2"}  # and not "tile/0/001"
    for path in read:
        data = bytearray(laid[path])
        data[-1] ^= 1
        with pytest.raises(IntegrityError, match="root"):
            tiles.inclusion({**laid, path: bytes(data)}.__getitem__, 3, head)
    with pytest.raises(IntegrityError):
        tiles.inclusion({**laid, "tile/0/000": b""}.__getitem__, 3, head)


@pytest.mark.parametrize("index", [-1, 5, 10**12])
def test_an_entry_that_is_not_there(index: int) -> None:
    with pytest.raises(RecordError, match="numbered from 0") as caught:
        tiles.inclusion(files(5).__getitem__, index, note(5))
    assert caught.value.exit_code is ExitCode.USAGE


def test_prove_writes_a_proof_that_holds(exported: Path, site: Site, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    entries = (exported / "entries.jsonl").read_bytes().splitlines()
    keys = site.policy.log_keys_at(7)
    for index in range(7):
        assert main(["prove", str(exported), str(index)]) is ExitCode.OK
        made = proof.parse_inclusion(capfdbinary.readouterr().out.decode())
        assert made.verify(entries[index], keys, site.origin).size == 7
        with pytest.raises(IntegrityError):
            made.verify(entries[index - 1], keys, site.origin)


SPOILED: dict[str, tuple[Callable[[Path], object], ExitCode, str]] = {
    "no such entry": (lambda _: None, ExitCode.USAGE, "E-PROOF-ENTRY"),
    "another hash": (
        lambda folder: (folder / "tile/0/000.p/7").write_bytes(bytes(7 * HASH_BYTES)),
        ExitCode.INTEGRITY,
        "E-PROOF-INCLUSION",
    ),
    "no tile": (lambda folder: shutil.rmtree(folder / "tile"), ExitCode.USAGE, "E-BUNDLE-MISSING"),
    "no checkpoint": (lambda folder: (folder / "checkpoint").unlink(), ExitCode.USAGE, "E-BUNDLE-MISSING"),
    "a pipe": (
        lambda folder: ((folder / "checkpoint").unlink(), os.mkfifo(folder / "checkpoint")),
        ExitCode.USAGE,
        "E-BUNDLE-MISSING",
    ),
    "no note": (lambda folder: (folder / "checkpoint").write_bytes(b"\xff"), ExitCode.INTEGRITY, "E-NOTE-FORM"),
    "no folder": (shutil.rmtree, ExitCode.USAGE, "E-BUNDLE-MISSING"),
}


@pytest.mark.parametrize("what", SPOILED)
def test_prove_says_what_is_wrong(exported: Path, what: str, capfd: pytest.CaptureFixture[str]) -> None:
    spoil, code, word = SPOILED[what]
    spoil(exported)
    assert main(["prove", str(exported), "7" if what == "no such entry" else "2"]) is code
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith(word)
    assert "Traceback" not in err
