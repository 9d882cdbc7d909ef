# SPDX-License-Identifier: Apache-2.0
"""The sixteen names the device decides with, each with its definition, IBSI code, unit and undefined case.

Rules of this module:

- One table; code, record, report and reference page read it.
- ``key`` is PyRadiomics' name where PyRadiomics has the feature (class and feature, as in its maps).
- The IBSI codes are those of the IBSI reference manual (arXiv 1612.07003); "" where IBSI has none.
- The paper's "energy" is not defined there; here it is IBSI's angular second moment (ADR 0006).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Definition:
    """One named feature."""

    key: str
    name: str
    ibsi: str
    formula: str
    unit: str
    undefined: str
    in_paper: bool = True


_NO_PAIR = "no pair of pixels in the window: 0"
_FLAT = "variance 0: 0"

DEFINITIONS: tuple[Definition, ...] = (
    Definition("glcm_Contrast", "GLCM contrast", "ACUI", "Σ p(i,j) (i−j)²", "levels²", _NO_PAIR),
    Definition("glcm_DifferenceAverage", "GLCM dissimilarity", "TF7R", "Σ p(i,j) |i−j|", "levels", _NO_PAIR),
    Definition("glcm_Idm", "GLCM homogeneity", "WF0Z", "Σ p(i,j) / (1 + (i−j)²)", "1", _NO_PAIR),
    Definition("glcm_JointEnergy", "GLCM energy", "8ZQL", "Σ p(i,j)²", "1", _NO_PAIR),
    Definition("glcm_Correlation", "GLCM correlation", "NI2N", "(Σ p(i,j) i j − μ²) / σ²", "1", "variance 0: 1"),
    Definition("lbp_Mean", "LBP mean", "", "mean of the uniform codes, P = 24, R = 3", "code", "never"),
    Definition("lbp_StandardDeviation", "LBP standard deviation", "", "√ of the codes' variance", "code", "never"),
    Definition("lbp_Entropy", "LBP entropy", "", "−Σ p log₂ p over the 26 codes", "bit", "never"),
    Definition("lbp_Uniformity", "LBP uniformity", "", "Σ p² over the 26 codes", "1", "never"),
    Definition("firstorder_Mean", "intensity mean", "Q4LE", "μ = Σ x / n", "grey level", "never"),
    Definition(
        "firstorder_StandardDeviation", "intensity standard deviation", "", "√(Σ (x−μ)² / n)", "grey level", "never"
    ),
    Definition("firstorder_Skewness", "intensity skewness", "KE2A", "m₃ / m₂^1.5", "1", _FLAT),
    Definition("firstorder_Kurtosis", "intensity kurtosis", "", "m₄ / m₂² (IBSI IPH6 is this minus 3)", "1", _FLAT),
    Definition(
        "gradient_Sharpness",
        "edge sharpness",
        "",
        "gradient magnitude of the smoothed image",
        "grey level / pixel",
        "never",
        in_paper=False,
    ),
    Definition(
        "hessian_ShapeIndex",
        "shape index",
        "",
        "2/π · arctan((k₁+k₂) / (k₂−k₁)), k₁ ≥ k₂ (Koenderink 1992)",
        "1",
        "flat: 0",
        in_paper=False,
    ),
    Definition(
        "hessian_Curvedness",
        "curvedness",
        "",
        "√((k₁² + k₂²) / 2) (Koenderink 1992)",
        "grey level / pixel²",
        "never",
        in_paper=False,
    ),
)

NAMED: tuple[str, ...] = tuple(d.key for d in DEFINITIONS)
PAPER: tuple[str, ...] = tuple(d.key for d in DEFINITIONS if d.in_paper)
BY_KEY: dict[str, Definition] = {d.key: d for d in DEFINITIONS}
