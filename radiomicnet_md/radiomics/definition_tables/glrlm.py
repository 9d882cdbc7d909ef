# SPDX-License-Identifier: Apache-2.0
"""Grey level run length: how far one goes along a line on one level."""

from __future__ import annotations

from radiomicnet_md.radiomics.definition_tables.measure import NO_LINE, Group, Measure, Reference, named

GLRLM = Group(
    "Grey level run length (GLRLM, 16)",
    """\
M(i,j) is the number of runs of level i and length j (px) along one angle, N = Σ M their number, q = M / N, n the
number of px. Each value is the mean over the angles (4 in 2-D, 13 in 3-D) of which some line holds two px of the
region, whether or not they touch.""",
    named(
        "glrlm",
        {
            "GrayLevelNonUniformity": Measure("R5YN", "Σᵢ (Σⱼ M)² / N", "runs", Reference("21.8")),
            "GrayLevelNonUniformityNormalized": Measure("OVBL", "Σᵢ (Σⱼ M)² / N²", "1", Reference("0.430")),
            "GrayLevelVariance": Measure("8CE5", "Σ q (i − Σ q i)²", "levels²", Reference("3.46")),
            "HighGrayLevelRunEmphasis": Measure("G3QZ", "Σ q i²", "levels²", Reference("9.70")),
            "LongRunEmphasis": Measure("W4KF", "Σ q j²", "px²", Reference("3.06")),
            "LongRunHighGrayLevelEmphasis": Measure("3KUM", "Σ q i² j²", "levels² px²", Reference("17.6")),
            "LongRunLowGrayLevelEmphasis": Measure("IVPO", "Σ q j² / i²", "levels⁻² px²", Reference("2.39")),
            "LowGrayLevelRunEmphasis": Measure("V3SW", "Σ q / i²", "levels⁻²", Reference("0.603")),
            "RunEntropy": Measure("HJ9O", "−Σ q log₂ q", "bit", Reference("2.43")),
            "RunLengthNonUniformity": Measure("W92Y", "Σⱼ (Σᵢ M)² / N", "runs", Reference("26.9")),
            "RunLengthNonUniformityNormalized": Measure("IC23", "Σⱼ (Σᵢ M)² / N²", "1", Reference("0.513")),
            "RunPercentage": Measure("9ZK5", "N / n", "runs/px", Reference("0.680")),
            "RunVariance": Measure("SXLW", "Σ q (j − Σ q j)²", "px²", Reference("0.574")),
            "ShortRunEmphasis": Measure("22OV", "Σ q / j²", "px⁻²", Reference("0.705")),
            "ShortRunHighGrayLevelEmphasis": Measure("GD3A", "Σ q i² / j²", "levels² px⁻²", Reference("8.54")),
            "ShortRunLowGrayLevelEmphasis": Measure("HTZT", "Σ q / (i² j²)", "levels⁻² px⁻²", Reference("0.352")),
        },
        NO_LINE,
    ),
)
