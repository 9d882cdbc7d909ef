# SPDX-License-Identifier: Apache-2.0
"""Grey level co-occurrence: which levels lie a given step apart."""

from __future__ import annotations

from radiomicnet_md.radiomics.definition_tables.measure import BRAIN, NO_PAIR, Group, Measure, Reference, flat, named

GLCM = Group(
    "Grey level co-occurrence (GLCM, 24)",
    """\
p(i,j) is the share of the pairs (level i, then level j) of one angle, counted in both directions, so that p is
symmetric; N is the highest level. p(i) = Σⱼ p(i,j), μ = Σ i p(i), σ² = Σ (i−μ)² p(i); d(k) is the sum of p(i,j) with
|i−j| = k, and s(k) that with i+j = k; H = −Σ p(i) log₂ p(i) and HXY = −Σ p(i,j) log₂ p(i,j). Both HXY1 and HXY2 are
then 2H. Q(i,j) = Σₖ p(i,k) p(j,k) / (p(i) p(k)), over occupied levels. Each value is the mean over the angles (4 in
2-D, 13 in 3-D, for each distance) that have a pair; an angle whose own pairs show one level counts with the number
given for a map.""",
    named(
        "glcm",
        {
            "Autocorrelation": Measure("QWB0", "Σ p(i,j) i j", "levels²", Reference("5.06")),
            "ClusterProminence": Measure("AE86", "Σ p(i,j) (i+j−2μ)⁴", "levels⁴", Reference("145")),
            "ClusterShade": Measure("7NFM", "Σ p(i,j) (i+j−2μ)³", "levels³", Reference("16.6")),
            "ClusterTendency": Measure("DG8W", "Σ p(i,j) (i+j−2μ)²", "levels²", Reference("7.07")),
            "Contrast": Measure("ACUI", "Σ p(i,j) (i−j)²", "levels²", Reference("5.32")),
            "Correlation": Measure("NI2N", "(Σ p(i,j) i j − μ²) / σ²", "1", Reference("0.157"), (flat("1"),)),
            "DifferenceAverage": Measure("TF7R", "Σ p(i,j) |i−j|", "levels", Reference("1.43")),
            "DifferenceEntropy": Measure("NTRS", "−Σ d(k) log₂ d(k)", "bit", Reference("1.56")),
            "DifferenceVariance": Measure("D3YU", "Σ d(k) (k − Σ d(k) k)²", "levels²", Reference("3.06")),
            "Id": Measure("IB1Z", "Σ p(i,j) / (1 + |i−j|)", "1", Reference("0.677")),
            "Idm": Measure("WF0Z", "Σ p(i,j) / (1 + (i−j)²)", "1", Reference("0.618")),
            "Idmn": Measure("1QCO", "Σ p(i,j) / (1 + (i−j)² / N²)", "1", Reference("0.898")),
            "Idn": Measure("NDRX", "Σ p(i,j) / (1 + |i−j| / N)", "1", Reference("0.851")),
            "Imc1": Measure("R8DG", "(HXY − 2H) / H", "1", Reference("-0.157"), (flat("0"),)),
            "Imc2": Measure("JN9H", "√(1 − e^(2 HXY − 4H))", "1", Reference("0.520")),
            "InverseVariance": Measure("E8JP", "Σ d(k) / k², k ≥ 1", "levels⁻²", Reference("0.0604")),
            "JointAverage": Measure("60VM", "μ", "levels", Reference("2.14")),
            "JointEnergy": Measure("8ZQL", "Σ p(i,j)²", "1", Reference("0.303")),
            "JointEntropy": Measure("TU9B", "HXY", "bit", Reference("2.40")),
            "MCC": Measure(
                "", "√ of the second largest eigenvalue of Q", "1", Reference("0.499040", source=BRAIN), (flat("0"),)
            ),
            "MaximumProbability": Measure("GYBY", "max p(i,j)", "1", Reference("0.503")),
            "SumAverage": Measure("ZGXS", "Σ s(k) k = 2μ", "levels", Reference("4.29")),
            "SumEntropy": Measure("P6QZ", "−Σ s(k) log₂ s(k)", "bit", Reference("1.92")),
            "SumSquares": Measure("UR99", "σ²", "levels²", Reference("3.10")),
        },
        NO_PAIR,
    ),
)
