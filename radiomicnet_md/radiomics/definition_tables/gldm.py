# SPDX-License-Identifier: Apache-2.0
"""Grey level dependence: how many neighbours have a pixel's own level."""

from __future__ import annotations

from radiomicnet_md.radiomics.definition_tables.measure import Group, Measure, Reference, named

GLDM = Group(
    "Grey level dependence (GLDM, 14)",
    """\
M(i,j) is the number of px of level i of which j−1 neighbours (of 8 in 2-D, of 26 in 3-D) have level i too; N = Σ M is
the number of px, q = M / N. The codes are those of IBSI's neighbouring grey level dependence matrix at α = 0, whose
j counts the px itself too. All are defined in every region.""",
    named(
        "gldm",
        {
            "DependenceEntropy": Measure("FCBV", "−Σ q log₂ q", "bit", Reference("4.40")),
            "DependenceNonUniformity": Measure("Z87G", "Σⱼ (Σᵢ M)² / N", "px", Reference("4.86")),
            "DependenceNonUniformityNormalized": Measure("OKJI", "Σⱼ (Σᵢ M)² / N²", "1", Reference("0.0657")),
            "DependenceVariance": Measure("DNX2", "Σ q (j − Σ q j)²", "px²", Reference("22.1")),
            "GrayLevelNonUniformity": Measure("FP8K", "Σᵢ (Σⱼ M)² / N", "px", Reference("37.9")),
            "GrayLevelVariance": Measure("1PFV", "Σ q (i − Σ q i)²", "levels²", Reference("3.05")),
            "HighGrayLevelEmphasis": Measure("OAE7", "Σ q i²", "levels²", Reference("7.66")),
            "LargeDependenceEmphasis": Measure("IMOQ", "Σ q j²", "px²", Reference("109")),
            "LargeDependenceHighGrayLevelEmphasis": Measure("9QMG", "Σ q i² j²", "levels² px²", Reference("235")),
            "LargeDependenceLowGrayLevelEmphasis": Measure("NBZI", "Σ q j² / i²", "levels⁻² px²", Reference("102")),
            "LowGrayLevelEmphasis": Measure("TL9H", "Σ q / i²", "levels⁻²", Reference("0.693")),
            "SmallDependenceEmphasis": Measure("SODN", "Σ q / j²", "px⁻²", Reference("0.0450")),
            "SmallDependenceHighGrayLevelEmphasis": Measure("JA6D", "Σ q i² / j²", "levels² px⁻²", Reference("0.736")),
            "SmallDependenceLowGrayLevelEmphasis": Measure(
                "EQ3F", "Σ q / (i² j²)", "levels⁻² px⁻²", Reference("0.00963")
            ),
        },
    ),
)
