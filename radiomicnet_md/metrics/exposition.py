# SPDX-License-Identifier: Apache-2.0
"""Prometheus' text format: each family once, with its help and type, and no value that could be read as another.

Source: prometheus.io, "Exposition formats", text-based format, version 0.0.4. Rules of this module:

- In help a backslash and a line feed are escaped; in a label's value a double quote too.
- A histogram's buckets are cumulative and end with ``+Inf``, which is the count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Sample:
    """A value, with what tells it from the others of its family."""

    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    ending: str = ""  # of the family's name: one of a histogram's


@dataclass(frozen=True, slots=True)
class Family:
    """Samples of one name."""

    name: str
    kind: str  # counter, gauge or histogram
    help: str
    samples: Sequence[Sample]


def counted(name: str, text: str, values: Mapping[str, int], label: str) -> Family:
    """A counter with one label."""
    return Family(name, "counter", text, [Sample(value, {label: key}) for key, value in values.items()])


def gauge(name: str, text: str, value: float, **labels: str) -> Family:
    """A gauge of one sample."""
    return Family(name, "gauge", text, [Sample(value, labels)])


class Histogram:
    """How often a value was at most each of some bounds."""

    def __init__(self, bounds: Sequence[float]) -> None:
        """Begin with none; the bounds grow."""
        self._bounds = (*bounds, float("inf"))
        self._counts = [0] * len(self._bounds)
        self._sum = 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self._sum += value
        for place, bound in enumerate(self._bounds):
            self._counts[place] += value <= bound

    def family(self, name: str, text: str) -> Family:
        """What it came to."""
        buckets = zip(self._bounds, self._counts, strict=True)
        samples = [Sample(count, {"le": _number(bound)}, "_bucket") for bound, count in buckets]
        ends = [Sample(self._sum, ending="_sum"), Sample(self._counts[-1], ending="_count")]
        return Family(name, "histogram", text, [*samples, *ends])


def page(families: Iterable[Family]) -> str:
    """The text that a Prometheus server reads."""
    lines = []
    for family in families:
        lines.append(f"# HELP {family.name} {_escaped(family.help)}")
        lines.append(f"# TYPE {family.name} {family.kind}")
        lines += [f"{family.name}{one.ending}{_labels(one.labels)} {_number(one.value)}" for one in family.samples]
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    pairs = (f'{name}="{_quoted(value)}"' for name, value in labels.items())
    return "{" + ",".join(pairs) + "}"


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', '\\"')


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _number(value: float) -> str:
    if value == float("inf"):
        return "+Inf"
    return str(int(value)) if value == int(value) else repr(float(value))
