# SPDX-License-Identifier: Apache-2.0
"""Neighbourhood grey tone difference: how far a pixel is from the mean of its neighbours."""

from __future__ import annotations

from radiomicnet_md.radiomics.definition_tables.measure import Case, Group, Measure, Reference, flat, named

_EQUAL = Case("i pᵢ equal for all levels", "NO_VALUE", "0")
_NO_STEP = Case("one level in each connected part", "NO_VALUE", "10⁶")

NGTDM = Group(
    "Neighbourhood grey tone difference (NGTDM, 5)",
    """\
pᵢ is the share of level i among the n px, sᵢ the sum over the px of level i of |i − mean level of its neighbours|
(of 8 in 2-D, of 26 in 3-D), G the number of levels present; sums over i and j take both levels among these. A px
without neighbours counts in pᵢ and n, with a difference of 0; IBSI leaves it out. Strength is 0 where
all sᵢ are 0.""",
    named(
        "ngtdm",
        {
            "Busyness": Measure("NQ30", "Σ pᵢ sᵢ / Σᵢ Σⱼ |i pᵢ − j pⱼ|", "1", Reference("6.54"), (flat("0"), _EQUAL)),
            "Coarseness": Measure("QCDE", "1 / Σ pᵢ sᵢ", "levels⁻¹", Reference("0.0296"), (flat("10⁶"), _NO_STEP)),
            "Complexity": Measure("HDEZ", "Σᵢ Σⱼ |i−j| (pᵢ sᵢ + pⱼ sⱼ) / (pᵢ + pⱼ) / n", "levels²", Reference("13.5")),
            "Contrast": Measure(
                "65HE",
                "Σᵢ Σⱼ pᵢ pⱼ (i−j)² / (G (G−1)) · Σ sᵢ / n",
                "levels³",
                Reference("0.584"),
                (flat("0"),),
            ),
            "Strength": Measure("1X9X", "Σᵢ Σⱼ (pᵢ + pⱼ) (i−j)² / Σ sᵢ", "levels", Reference("0.763"), (flat("0"),)),
        },
    ),
)
