# SPDX-License-Identifier: Apache-2.0
"""What is written in Prometheus' text format is read back as what was meant, by a reader made from its description."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiomicnet_md.metrics.exposition import Family, Histogram, Sample, page

pytestmark = pytest.mark.verifies("SRS-OPR-005")

_LINE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\S+)')
_LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\"n])*)"')
_ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
Read = tuple[str, dict[str, str], float]


def plain(text: str) -> str:
    return re.sub(r'\\[\\"n]', lambda found: _ESCAPES[found[0]], text)


def read(text: str) -> tuple[dict[str, tuple[str, str]], list[Read]]:
    """Type and help by family, and every sample; fails on a line of another form or out of place."""
    assert text.endswith("\n")
    kinds: dict[str, tuple[str, str]] = {}
    samples: list[Read] = []
    lines = iter(text[:-1].split("\n"))
    for line in lines:
        if line.startswith("# HELP "):
            name, _, told = line.removeprefix("# HELP ").partition(" ")
            following = next(lines)
            assert following.startswith(f"# TYPE {name} ")
            assert name not in kinds
            kinds[name] = (following.removeprefix(f"# TYPE {name} "), plain(told))
            continue
        samples.append(_sample(line))
        family = list(kinds)[-1]
        endings = ("_bucket", "_sum", "_count") if kinds[family][0] == "histogram" else ("",)
        assert samples[-1][0] in {family + ending for ending in endings}
    return kinds, samples


def _sample(line: str) -> Read:
    found = _LINE.fullmatch(line)
    assert found, line
    return found[1], {name: plain(value) for name, value in _LABEL.findall(found[2] or "")}, float(found[3])


def families() -> Iterator[Family]:
    yield Family("a_total", "counter", 'one\nline \\ with "quotes"', [Sample(3, {"x": 'a"b\\c\nd'}), Sample(2**53)])
    yield Family("b", "gauge", "", [Sample(0.25), Sample(-1.5e-7)])
    yield Family("c", "gauge", "no sample yet", [])


def test_a_page_is_read_back() -> None:
    kinds, samples = read(page(families()))
    assert kinds["a_total"] == ("counter", 'one\nline \\ with "quotes"')
    assert samples == [
        ("a_total", {"x": 'a"b\\c\nd'}, 3.0),
        ("a_total", {}, 2.0**53),
        ("b", {}, 0.25),
        ("b", {}, -1.5e-7),
    ]


@given(st.text(), st.text(), st.floats(allow_nan=False, allow_infinity=False))
def test_any_text_and_number_arrives_whole(told: str, value: str, number: float) -> None:
    kinds, samples = read(page([Family("x", "gauge", told, [Sample(number, {"y": value})])]))
    assert kinds["x"][1] == told
    assert samples == [("x", {"y": value}, number)]


@given(st.lists(st.floats(0, 1000)))
def test_buckets_are_cumulative_and_end_with_the_count(values: list[float]) -> None:
    made = Histogram((1.0, 2.5, 100.0))
    for value in values:
        made.add(value)
    _, samples = read(page([made.family("h", "")]))
    buckets = [(labels["le"], count) for name, labels, count in samples if name == "h_bucket"]
    expected = [(bound, float(sum(value <= float(bound) for value in values))) for bound in ("1", "2.5", "100", "+Inf")]
    assert buckets == expected
    ends = {name: count for name, _, count in samples if name != "h_bucket"}
    assert ends["h_count"] == len(values)
    assert ends["h_sum"] == pytest.approx(sum(values))
