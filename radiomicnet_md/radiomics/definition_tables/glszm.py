# SPDX-License-Identifier: Apache-2.0
"""Grey level size zone: how large the connected parts of one level are."""

from __future__ import annotations

from radiomicnet_md.radiomics.definition_tables.measure import Group, Measure, Reference, named

GLSZM = Group(
    "Grey level size zone (GLSZM, 16)",
    """\
M(i,j) is the number of zones of level i and j px, a zone being a part of one level that is connected (8 neighbours in
2-D, 26 in 3-D); N = Σ M their number, q = M / N, n the number of px. All are defined in every region.""",
    named(
        "glszm",
        {
            "GrayLevelNonUniformity": Measure("JNSA", "Σᵢ (Σⱼ M)² / N", "zones", Reference("1.40")),
            "GrayLevelNonUniformityNormalized": Measure("Y1RO", "Σᵢ (Σⱼ M)² / N²", "1", Reference("0.280")),
            "GrayLevelVariance": Measure("BYLV", "Σ q (i − Σ q i)²", "levels²", Reference("2.64")),
            "HighGrayLevelZoneEmphasis": Measure("5GN9", "Σ q i²", "levels²", Reference("15.6")),
            "LargeAreaEmphasis": Measure("48P8", "Σ q j²", "px²", Reference("550")),
            "LargeAreaHighGrayLevelEmphasis": Measure("J17V", "Σ q i² j²", "levels² px²", Reference("1.49E+3")),
            "LargeAreaLowGrayLevelEmphasis": Measure("YH51", "Σ q j² / i²", "levels⁻² px²", Reference("503")),
            "LowGrayLevelZoneEmphasis": Measure("XMSY", "Σ q / i²", "levels⁻²", Reference("0.253")),
            "SizeZoneNonUniformity": Measure("4JP3", "Σⱼ (Σᵢ M)² / N", "zones", Reference("1.00")),
            "SizeZoneNonUniformityNormalized": Measure("VB3A", "Σⱼ (Σᵢ M)² / N²", "1", Reference("0.200")),
            "SmallAreaEmphasis": Measure("5QRC", "Σ q / j²", "px⁻²", Reference("0.255")),
            "SmallAreaHighGrayLevelEmphasis": Measure("HW1V", "Σ q i² / j²", "levels² px⁻²", Reference("2.76")),
            "SmallAreaLowGrayLevelEmphasis": Measure("5RAI", "Σ q / (i² j²)", "levels⁻² px⁻²", Reference("0.0256")),
            "ZoneEntropy": Measure("GU8N", "−Σ q log₂ q", "bit", Reference("2.32")),
            "ZonePercentage": Measure("P30P", "N / n", "zones/px", Reference("0.0676")),
            "ZoneVariance": Measure("3NSA", "Σ q (j − Σ q j)²", "px²", Reference("331")),
        },
    ),
)
