# SPDX-License-Identifier: Apache-2.0
"""The pictures show the recorded outline and terms, and the same decision gives the same bytes."""

from __future__ import annotations

import io
import struct
import sys

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from PIL import Image

from radiomicnet_md.decision import LOGIT_BITS, Decision
from radiomicnet_md.errors import ConfigurationError
from radiomicnet_md.review import canvas, palette, panels, pictures, raster, sheet
from radiomicnet_md.review.sheet import Sheet

pytestmark = pytest.mark.verifies("SRS-OUT-004")

AMBER = tuple(bytes.fromhex(palette.CHOSEN[1:]))
MASKS = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=12))


def chunks(png: bytes) -> list[str]:
    """The names of a PNG file's chunks, in order."""
    names, at = [], 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        names.append(png[at + 4 : at + 8].decode())
        at += 12 + length
    return names


def decoded(png: bytes) -> NDArray[np.uint8]:
    """PNG bytes as (rows, columns, 3)."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


@given(MASKS)
@pytest.mark.verifies("SRS-OUT-004", rc=("RC-027",))
def test_the_outline_is_the_part_of_the_mask_that_touches_its_outside(mask: NDArray[np.bool_]) -> None:
    line = raster.outline(mask)
    assert not (line & ~mask).any()
    for row, column in np.argwhere(mask):
        sides = [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]
        inside = [0 <= r < mask.shape[0] and 0 <= c < mask.shape[1] and bool(mask[r, c]) for r, c in sides]
        assert line[row, column] == (not all(inside))


def test_a_large_image_keeps_every_pixel_that_is_neither_line_nor_its_edge(levels: NDArray[np.uint8]) -> None:
    grey = np.tile(levels, (7, 5))  # 1008 x 960: not enlarged
    mask = np.zeros(grey.shape, dtype=np.uint8)
    mask[100:140, 200:260] = 1
    picture = pictures.outlined(grey, mask)
    ring = np.zeros(grey.shape, dtype=np.bool_)
    ring[100:140, 200:260] = True
    ring[101:139, 201:259] = False
    edge = np.zeros(grey.shape, dtype=np.bool_)
    edge[99:141, 200:260] = edge[100:140, 199:261] = True
    edge[100:140, 200:260] = False
    assert (picture[ring] == AMBER).all()
    assert (picture[edge] == 0).all()
    elsewhere = ~ring & ~edge
    assert (picture[elsewhere] == grey[elsewhere][:, None]).all()


def test_a_small_image_is_enlarged_by_a_whole_number_and_the_line_is_two_pixels_wide(
    levels: NDArray[np.uint8],
) -> None:
    mask = np.zeros(levels.shape, dtype=np.uint8)
    mask[20:40, 30:60] = 1
    picture = pictures.outlined(levels, mask)
    scale = 4  # the smallest whole number that makes 192 at least 720
    assert picture.shape == (144 * scale, 192 * scale, 3)
    across = (picture[30 * scale] == AMBER).all(axis=1)
    assert np.flatnonzero(across).tolist() == [30 * scale, 30 * scale + 1, 60 * scale - 2, 60 * scale - 1]


def test_the_overlay_holds_the_outlined_image_above_its_stamp(levels: NDArray[np.uint8]) -> None:
    mask = np.zeros(levels.shape, dtype=np.uint8)
    mask[20:40, 30:60] = 1
    shown, body = decoded(pictures.overlay(levels, mask, "stamp")), pictures.outlined(levels, mask)
    assert shown.shape[1] == body.shape[1]
    assert (shown[: body.shape[0]] == body).all()
    assert shown.shape[0] > body.shape[0]
    other = decoded(pictures.overlay(levels, mask, "another stamp"))
    assert (shown[: body.shape[0]] == other[: body.shape[0]]).all()
    assert (shown[body.shape[0] :] != other[body.shape[0] :]).any()


def test_an_empty_mask_leaves_the_image_as_it_is(levels: NDArray[np.uint8]) -> None:
    picture = pictures.outlined(levels, np.zeros(levels.shape, dtype=np.uint8))
    assert (picture[::4, ::4] == levels[:, :, None]).all()


@pytest.mark.verifies("SRS-OUT-004", rc=("RC-027",))
def test_image_and_mask_of_different_shape_are_refused(levels: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        pictures.overlay(levels, np.zeros((2, 2), dtype=np.uint8))


@pytest.mark.parametrize("name", ["found", "rejected", "nothing"])
def test_the_same_decision_gives_the_same_bytes(name: str, request: pytest.FixtureRequest) -> None:
    decision: Decision = request.getfixturevalue(name)
    first = pictures.why(decision)
    assert pictures.why(decision) == first
    assert set(chunks(first)) == {"IHDR", "IDAT", "IEND"}


def test_the_same_chart_is_the_same_bytes_whatever_the_user_set() -> None:
    def chart() -> bytes:
        with canvas.plain_settings():
            figure = canvas.new_figure(200, 100)
            figure.add_subplot().plot([1, 3, 2])
            return canvas.png(figure)

    first = chart()
    with mpl.rc_context({"font.size": 30, "savefig.facecolor": "red", "lines.linewidth": 9}):
        assert chart() == first
        assert mpl.rcParams["font.size"] == 30
    assert set(chunks(first)) == {"IHDR", "pHYs", "IDAT", "IEND"}


def drawn(monkeypatch: pytest.MonkeyPatch, decision: Decision) -> list[str]:
    """Every text of the picture, in the order in which it is drawn."""
    said: list[str] = []

    def noted(self: Sheet, x: float, y: float, text: str, *rest: object, **how: object) -> float:
        assert 0 <= x <= self.width, text
        assert 0 <= y <= self.height, text
        said.append(text)
        return kept(self, x, y, text, *rest, **how)

    kept = Sheet.text
    monkeypatch.setattr(Sheet, "text", noted)
    pictures.why(decision)
    return said


def test_the_picture_says_each_term_that_it_shows_and_they_add_up(
    found: Decision, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = drawn(monkeypatch, found)
    assert panels.headline(found)[0] in said
    sums = []
    for name, mine, _ in panels.ranked(found.chosen[0], found.runner_up):
        printed = said[said.index(name) + 1]
        assert printed == panels.signed(mine / 65536, 3)
        sums.append(float(printed.replace("\N{MINUS SIGN}", "-")))
    assert sum(sums[:-1]) == pytest.approx(sums[-1], abs=0.0005 * len(sums))


def test_each_map_says_its_mean_inside_the_region(found: Decision, monkeypatch: pytest.MonkeyPatch) -> None:
    said = drawn(monkeypatch, found)
    inside = found.chosen[0].pixels[::2, ::2]
    for name, values in (("rest (not named)", found.rest), ("sum with bias", found.logit)):
        printed = float(said[said.index(name) + 1].replace("\N{MINUS SIGN}", "-"))
        assert printed == pytest.approx(values[inside].mean() / (1 << LOGIT_BITS), abs=0.0051)


def test_where_nothing_was_weighed_the_picture_says_so(nothing: Decision, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "No region, so no sum" in drawn(monkeypatch, nothing)


def test_the_bars_add_up_to_the_score_for_both_regions(found: Decision) -> None:
    rows = panels.ranked(found.chosen[0], found.runner_up)
    assert found.runner_up is not None
    assert rows[-1] == ("sum", found.chosen[0].score, found.runner_up.score)
    assert sum(mine for _, mine, _ in rows[:-1]) == found.chosen[0].score
    assert sum(theirs for _, _, theirs in rows[:-1] if theirs is not None) == found.runner_up.score
    sizes = [abs(mine) for _, mine, _ in rows[:-3]]
    assert sizes == sorted(sizes, reverse=True)


def test_the_headline_says_what_was_decided(found: Decision, rejected: Decision, nothing: Decision) -> None:
    assert panels.headline(found) == (
        "Lesion outlined: one region, sum +1.250 > 0",
        "9 candidate regions weighed; the runner-up has +0.750, a margin of +0.500",
    )
    assert panels.headline(rejected)[0] == "No lesion found: the best sum is \N{MINUS SIGN}0.500, not above 0"
    assert panels.headline(nothing)[0] == "No lesion found: no candidate region"


@pytest.mark.verifies("SRS-OUT-004", rc=("RC-027",))
def test_certified_pixels_are_those_the_rest_cannot_turn(found: Decision) -> None:
    count, of = panels.certified(found)
    named = found.bias + found.contributions.sum(axis=0)
    sure = (np.sign(named - found.rho) == np.sign(named + found.rho)) & (np.abs(named) != found.rho)
    assert (count, of) == (int(sure.sum()), found.logit.size)


@given(st.integers(-(2**20), 2**20))
def test_a_printed_sign_is_the_numbers_own(score: int) -> None:
    printed = panels.signed(score / 65536, 3)
    assert float(printed.replace("\N{MINUS SIGN}", "-")) == pytest.approx(score / 65536, abs=5.01e-4)
    assert printed != "\N{MINUS SIGN}0.000"


@pytest.mark.verifies("SRS-CLI-004")
def test_without_matplotlib_the_remedy_names_the_extra(
    levels: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    sheet._font.cache_clear()
    with pytest.raises(ConfigurationError) as raised:
        pictures.overlay(levels, np.zeros(levels.shape, dtype=np.uint8))
    assert raised.value.code == "E-PICTURES"
    assert "radiomicnet-md[report]" in raised.value.remedy
