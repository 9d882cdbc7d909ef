# SPDX-License-Identifier: Apache-2.0
"""What was decided, in plain values that any language can read; pixels end here.

Rules of this module:

- Pure: the same case gives the same predicate. Nothing is read, written, timed or drawn at random.
- Numbers are integers, or strings: ``float.hex()`` for floats, decimal digits beyond 2**53.
- No identity enters a predicate; of identifying values it knows their salted commitments alone.
- What a case did not reach is null. A refusal and an error have the same parts as a result.
- A record fits into an entry of the log (65,535 bytes): from the third region on, values and terms are an
  artefact of their own, named by its digest.

The predicate is described part by part in ``docs/reference/record.md``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.decision import LOGIT_BITS, SCORE_BITS, Check, Decision, Region, margin
from radiomicnet_md.engine.coalitions import DENOMINATOR
from radiomicnet_md.engine.zones import zones
from radiomicnet_md.image import Frame, Image, array_sha256, mask_sha256
from radiomicnet_md_audit import canonical
from radiomicnet_md_audit.statement import DECISION, build

DETAILED = 2  # regions and lesions written out in full; of the others the record holds sums and a digest
MOST_REGIONS = 32  # a record of more would not fit into an entry of the log


class Outcome(StrEnum):
    """How an attempt at a case ended."""

    RESULT = "RESULT"
    REFUSED = "REFUSED"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why there is no result: a stable code, the fact, and what to do about it."""

    code: str
    text: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Maker:
    """Who decides and with what: the parts that all records of a process share."""

    stamps: tuple[str, ...]
    operator: str
    release: Mapping[str, str] | None  # id, version, manifest_sha256; None where it did not verify
    code: Mapping[str, str]
    environment: Mapping[str, str]
    configuration_sha256: str
    qualification: Mapping[str, str] | None = None  # ids of the records that qualify the installation, by kind


@dataclass(frozen=True, slots=True)
class Case:
    """One attempt: what came in and how far it got."""

    record_id: str
    request_id: str
    state: Outcome
    file_sha256: str | None = None
    frame: Frame | None = None  # which of the file's frames this case is about
    image: Image | None = field(default=None, repr=False)
    commitments: Mapping[str, str] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    decision: Decision | None = field(default=None, repr=False)
    reason: Reason | None = None


def describe(case: Case, maker: Maker) -> dict[str, Any]:
    """The predicate of a decision record; the log adds its own part, ``log``, when it appends."""
    decision = case.decision
    return {
        "record_id": case.record_id,
        "state": str(case.state),
        "stamps": list(maker.stamps),
        "reason": None if case.reason is None else asdict(case.reason),
        "request_id": case.request_id,
        "operator": maker.operator,
        "release": None if maker.release is None else dict(maker.release),
        "code": dict(maker.code),
        "environment": dict(maker.environment),
        "configuration_sha256": maker.configuration_sha256,
        "qualification": None if maker.qualification is None else dict(maker.qualification),
        "input": _input(case),
        "checks": [_check(check) for check in case.checks],
        "radiomics": None if decision is None else _radiomics(decision),
        "decision": None if decision is None else _choice(decision),
        "pixels": None if decision is None else _pixels(decision),
        "gates": None if decision is None else _gates(decision),
        "arithmetic": None if decision is None else decision.arithmetic,
        "stages": None if decision is None else dict(decision.stages),
        "outputs": None if decision is None else _outputs(decision),
    }


def statement(predicate: dict[str, Any], kind: str = DECISION) -> dict[str, Any]:
    """An in-toto Statement v1 about the bytes that the predicate speaks of.

    Subjects are the input file and the outputs by their digests; where nothing could be read, the
    request itself, so that there is always one.
    """
    digests = {**(predicate["input"] or {}), **(predicate["outputs"] or {})}
    names = {"input": "file_sha256", "mask": "mask_sha256", "contributions": "contributions_sha256"}
    subjects = {name: digests[key] for name, key in names.items() if digests.get(key) is not None}
    request = hashlib.sha256(str(predicate["request_id"]).encode()).hexdigest()
    return build(kind, subjects or {"request": request}, predicate)


def stamp(predicate: Mapping[str, Any]) -> str:
    """The line that every picture of a result ends in."""
    implausible = () if all(check["held"] for check in predicate["checks"]) else ("implausible",)
    parts = ("not a cleared device", *implausible, *predicate["stamps"], f"record {predicate['record_id']}")
    return " · ".join(parts)


def integrals(decision: Decision, zone: NDArray[np.bool_]) -> dict[str, int]:
    """Sum over a zone (h2, w2) of each contribution, of the rest and of the bias, in 2**-LOGIT_BITS.

    Law: the sum of all of them is the sum of the logit over the zone.
    """
    sums = {name: int(plane[zone].sum()) for name, plane in zip(decision.names, decision.contributions, strict=True)}
    return {**sums, "rest": int(decision.rest[zone].sum()), "bias": decision.bias * int(zone.sum())}


def named_share(decision: Decision) -> tuple[int, int]:
    """The part of the logit's variance over all n pixels that the named contributions carry, as a fraction.

    With s = Σ_k c_k (the named contributions, centred on the training data when the release was built) and
    z = bias + s + rest, the share is Cov(s, z) / Var(z). Both are returned times n², so that they are
    integers: ``n·Σsz - Σs·Σz`` and ``n·Σz² - (Σz)²``. The shares of s and of the rest add up to one; a
    share below 0 or above 1 means that the rest works against the names. A flat logit gives (0, 0).
    """
    return share_of_variance(decision.contributions.sum(axis=0, dtype=np.int64), decision.logit)


def share_of_variance(part: NDArray[np.int64], whole: NDArray[np.int64]) -> tuple[int, int]:
    """Cov(part, whole) and Var(whole) over all n pixels, both times n²: integers without rounding."""
    named, logit, count = part.ravel(), whole.ravel(), whole.size
    total = int(logit.sum())
    covariance = count * _product(named, logit) - int(named.sum()) * total
    variance = count * _product(logit, logit) - total * total
    return covariance, variance


def _product(one: NDArray[np.int64], other: NDArray[np.int64]) -> int:
    """Σ one · other; in two halves, of which neither leaves int64 for magnitudes below 2**32 and 2**31 values."""
    high, low = one >> 16, one & 0xFFFF
    return (int(np.dot(high, other)) << 16) + int(np.dot(low, other))


def certified(decision: Decision) -> int:
    """Number of pixels whose sign the rest cannot change: ``|bias + Σ_k c_k| > rho``."""
    named = decision.bias + decision.contributions.sum(axis=0, dtype=np.int64)
    return int((np.abs(named) > decision.rho).sum())


def plain(value: object) -> Any:  # noqa: ANN401 -- JSON has no narrower type
    """The value with every float as ``float.hex()``, every tuple as a list, every integer a Python int."""
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, float | np.floating):
        return float(value).hex()
    if isinstance(value, np.integer):
        return int(value)
    return value


def _input(case: Case) -> dict[str, Any] | None:
    image = case.image
    if image is None:
        if case.file_sha256 is None:
            return None
        return {"file_sha256": case.file_sha256} | ({} if case.frame is None else {"frame": asdict(case.frame)})
    return {
        **asdict(image.origin),
        "pixels_sha256": image.pixels_sha256,
        "shape": list(image.pixels.shape),
        "dtype": image.pixels.dtype.name,
        "spacing_mm": plain(image.spacing_mm),
        "spacing_declared": image.spacing_declared,
        "commitments": dict(case.commitments),
    }


def _check(check: Check) -> dict[str, Any]:
    return {"name": check.name, "value": check.value, "limit": check.limit, "held": check.held}


def details(decision: Decision) -> list[bytes]:
    """The artefacts that the record names by ``detail_sha256``: regions and lesions from the third on, in full."""
    full = [_region(region) for region in decision.chosen] + plain(decision.lesions)
    places = [*range(len(decision.chosen)), *range(len(decision.lesions))]
    return [canonical.dumps(one) for place, one in zip(places, full, strict=True) if place >= DETAILED]


def _shortened(full: list[dict[str, Any]], *emptied: str) -> list[dict[str, Any]]:
    """The first as they are; the others with some parts emptied and the digest of the whole."""
    short = [
        {**one, **{name: {} for name in emptied}, "detail_sha256": hashlib.sha256(canonical.dumps(one)).hexdigest()}
        for one in full[DETAILED:]
    ]
    return full[:DETAILED] + short


def _radiomics(decision: Decision) -> dict[str, Any]:
    return {"paper": plain(decision.paper_values), "lesions": _shortened(plain(decision.lesions), "values")}


def _choice(decision: Decision) -> dict[str, Any]:
    return {
        "candidates": decision.candidates,
        "chosen": _shortened([_region(region) for region in decision.chosen], "values", "terms"),
        "runner_up": None if decision.runner_up is None else _region(decision.runner_up),
        "margin": margin(decision.chosen, decision.runner_up),
        "score_bits": SCORE_BITS,
    }


def _region(region: Region) -> dict[str, Any]:
    parts = ("threshold", "area_px", "box", "values", "terms", "intercept", "score")
    return {name: plain(getattr(region, name)) for name in parts}


def _pixels(decision: Decision) -> dict[str, Any]:
    numerator, denominator = named_share(decision)
    found = zones(decision.chosen, *decision.logit.shape)
    return {
        "logit_bits": LOGIT_BITS,
        "rho": decision.rho,
        "bias": decision.bias,
        "integrals": {name: integrals(decision, zone) for name, zone in found.items()},
        "named_share": {"numerator": str(numerator), "denominator": str(denominator)},
        "certified": {"pixels": certified(decision), "of": decision.logit.size},
    }


def _gates(decision: Decision) -> dict[str, Any]:
    groups = {"denominator": DENOMINATOR, **decision.groups}
    return {**plain({"gamma": decision.gamma, "attention": decision.attention}), "groups": plain(groups)}


def _outputs(decision: Decision) -> dict[str, Any]:
    return {
        "mask_sha256": mask_sha256(decision.mask),
        "contributions_sha256": array_sha256(decision.contributions),
        "mask_shape": list(decision.mask.shape),
    }
