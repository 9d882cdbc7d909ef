# SPDX-License-Identifier: Apache-2.0
"""First order: values of a region's grey values, whatever their places. Entropy and uniformity see levels."""

from __future__ import annotations

from radiomicnet_md.radiomics.definition_tables.measure import (
    EQUAL,
    NO_SPACING,
    Case,
    Group,
    Measure,
    Reference,
    named,
)

_EQUAL = Case(EQUAL, "FLAT", "0")
_TWO = Case("two px that differ", "NO_VALUE", "NaN")

FIRST_ORDER = Group(
    "First order (18)",
    """\
x are the grey values of the n px of the region, μ their mean, mₖ = Σ (x−μ)ᵏ / n; P₁₀ is the 10th percentile with
linear interpolation between values in order; pᵢ is the share of grey level i; a is the size of a px.""",
    named(
        "firstorder",
        {
            "10Percentile": Measure("QG58", "P₁₀", "grey level", Reference("1.00")),
            "90Percentile": Measure("8DWT", "P₉₀", "grey level", Reference("4.00")),
            "Energy": Measure("N8CA", "Σ x²", "grey level²", Reference("567")),
            "Entropy": Measure("TLU2", "−Σ pᵢ log₂ pᵢ", "bit", Reference("1.27")),
            "InterquartileRange": Measure("SALO", "P₇₅ − P₂₅", "grey level", Reference("3.00")),
            "Kurtosis": Measure(
                "",
                "m₄ / m₂²",
                "1",
                Reference("-0.355", differs="IBSI's IPH6 is 3 less"),
                (_EQUAL,),
            ),
            "Maximum": Measure("84IY", "max x", "grey level", Reference("6.00")),
            "MeanAbsoluteDeviation": Measure("4FUA", "Σ |x−μ| / n", "grey level", Reference("1.55")),
            "Mean": Measure("Q4LE", "μ = Σ x / n", "grey level", Reference("2.15")),
            "Median": Measure("Y12H", "P₅₀", "grey level", Reference("1.00")),
            "Minimum": Measure("1GSF", "min x", "grey level", Reference("1.00")),
            "Range": Measure("2OJQ", "max x − min x", "grey level", Reference("5.00")),
            "RobustMeanAbsoluteDeviation": Measure(
                "1128", "Σ |x−μ| / n of the x from P₁₀ to P₉₀", "grey level", Reference("1.11"), (_TWO,)
            ),
            "RootMeanSquared": Measure("5ZWQ", "√(Σ x² / n)", "grey level", Reference("2.77")),
            "Skewness": Measure("KE2A", "m₃ / m₂^1.5", "1", Reference("1.08"), (_EQUAL,)),
            "TotalEnergy": Measure(
                "",
                "a Σ x²",
                "grey level² mm² (3-D: mm³)",
                Reference("567", differs="IBSI's N8CA has no factor of 8 mm³"),
                (NO_SPACING,),
            ),
            "Uniformity": Measure("BJ5W", "Σ pᵢ²", "1", Reference("0.512")),
            "Variance": Measure("ECT3", "m₂", "grey level²", Reference("3.05")),
        },
    ),
)
