# SPDX-License-Identifier: Apache-2.0
"""The values of a region as PyRadiomics 3.0.1 names them: IBSI code, unit, and what each may depend on.

Rules of this module:

- Per class, in PyRadiomics' spelling; classes and features stand in the order of their output.
- A code is given where PyRadiomics' value is IBSI's; kurtosis (not reduced by 3), MCC and the total energy
  have none. The codes of GLDM are those of IBSI's neighbouring grey level dependence matrix at α = 0.
- "px" is a pixel in 2-D, a voxel in 3-D.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measure:
    """IBSI code ("" where there is none) and unit of one value."""

    ibsi: str
    unit: str


_FIRST_ORDER = """
10Percentile QG58 grey level
90Percentile 8DWT grey level
Energy N8CA grey level²
Entropy TLU2 bit
InterquartileRange SALO grey level
Kurtosis - 1
Maximum 84IY grey level
MeanAbsoluteDeviation 4FUA grey level
Mean Q4LE grey level
Median Y12H grey level
Minimum 1GSF grey level
Range 2OJQ grey level
RobustMeanAbsoluteDeviation 1128 grey level
RootMeanSquared 5ZWQ grey level
Skewness KE2A 1
TotalEnergy - grey level² × size of a px in mm
Uniformity BJ5W 1
Variance ECT3 grey level²
"""
_GLCM = """
Autocorrelation QWB0 levels²
ClusterProminence AE86 levels⁴
ClusterShade 7NFM levels³
ClusterTendency DG8W levels²
Contrast ACUI levels²
Correlation NI2N 1
DifferenceAverage TF7R levels
DifferenceEntropy NTRS bit
DifferenceVariance D3YU levels²
Id IB1Z 1
Idm WF0Z 1
Idmn 1QCO 1
Idn NDRX 1
Imc1 R8DG 1
Imc2 JN9H 1
InverseVariance E8JP levels⁻²
JointAverage 60VM levels
JointEnergy 8ZQL 1
JointEntropy TU9B bit
MCC - 1
MaximumProbability GYBY 1
SumAverage ZGXS levels
SumEntropy P6QZ bit
SumSquares UR99 levels²
"""
_GLRLM = """
GrayLevelNonUniformity R5YN runs
GrayLevelNonUniformityNormalized OVBL 1
GrayLevelVariance 8CE5 levels²
HighGrayLevelRunEmphasis G3QZ levels²
LongRunEmphasis W4KF px²
LongRunHighGrayLevelEmphasis 3KUM levels² px²
LongRunLowGrayLevelEmphasis IVPO levels⁻² px²
LowGrayLevelRunEmphasis V3SW levels⁻²
RunEntropy HJ9O bit
RunLengthNonUniformity W92Y runs
RunLengthNonUniformityNormalized IC23 1
RunPercentage 9ZK5 runs/px
RunVariance SXLW px²
ShortRunEmphasis 22OV px⁻²
ShortRunHighGrayLevelEmphasis GD3A levels² px⁻²
ShortRunLowGrayLevelEmphasis HTZT levels⁻² px⁻²
"""
_GLSZM = """
GrayLevelNonUniformity JNSA zones
GrayLevelNonUniformityNormalized Y1RO 1
GrayLevelVariance BYLV levels²
HighGrayLevelZoneEmphasis 5GN9 levels²
LargeAreaEmphasis 48P8 px²
LargeAreaHighGrayLevelEmphasis J17V levels² px²
LargeAreaLowGrayLevelEmphasis YH51 levels⁻² px²
LowGrayLevelZoneEmphasis XMSY levels⁻²
SizeZoneNonUniformity 4JP3 zones
SizeZoneNonUniformityNormalized VB3A 1
SmallAreaEmphasis 5QRC px⁻²
SmallAreaHighGrayLevelEmphasis HW1V levels² px⁻²
SmallAreaLowGrayLevelEmphasis 5RAI levels⁻² px⁻²
ZoneEntropy GU8N bit
ZonePercentage P30P zones/px
ZoneVariance 3NSA px²
"""
_GLDM = """
DependenceEntropy FCBV bit
DependenceNonUniformity Z87G px
DependenceNonUniformityNormalized OKJI 1
DependenceVariance DNX2 px²
GrayLevelNonUniformity FP8K px
GrayLevelVariance 1PFV levels²
HighGrayLevelEmphasis OAE7 levels²
LargeDependenceEmphasis IMOQ px²
LargeDependenceHighGrayLevelEmphasis 9QMG levels² px²
LargeDependenceLowGrayLevelEmphasis NBZI levels⁻² px²
LowGrayLevelEmphasis TL9H levels⁻²
SmallDependenceEmphasis SODN px⁻²
SmallDependenceHighGrayLevelEmphasis JA6D levels² px⁻²
SmallDependenceLowGrayLevelEmphasis EQ3F levels⁻² px⁻²
"""
_NGTDM = """
Busyness NQ30 1
Coarseness QCDE levels⁻¹
Complexity HDEZ levels
Contrast 65HE levels
Strength 1X9X levels
"""
_SHAPE_2D = """
Elongation - 1
MajorAxisLength - mm
MaximumDiameter - mm
MeshSurface - mm²
MinorAxisLength - mm
Perimeter - mm
PerimeterSurfaceRatio - mm⁻¹
PixelSurface - mm²
Sphericity - 1
"""
_SHAPE_3D = """
Elongation Q3CK 1
Flatness N17B 1
LeastAxisLength 7J51 mm
MajorAxisLength TDIC mm
Maximum2DDiameterColumn - mm
Maximum2DDiameterRow - mm
Maximum2DDiameterSlice - mm
Maximum3DDiameter L0JK mm
MeshVolume RNU0 mm³
MinorAxisLength P9VJ mm
Sphericity QCFX 1
SurfaceArea C0JK mm²
SurfaceVolumeRatio 2PR5 mm⁻¹
VoxelVolume YEKZ mm³
"""


def _read(prefix: str, lines: str) -> dict[str, Measure]:
    rows = (line.split(" ", 2) for line in lines.strip().splitlines())
    return {f"{prefix}_{name}": Measure("" if code == "-" else code, unit) for name, code, unit in rows}


TEXTURE: dict[str, Measure] = (
    _read("firstorder", _FIRST_ORDER)
    | _read("glcm", _GLCM)
    | _read("glrlm", _GLRLM)
    | _read("glszm", _GLSZM)
    | _read("gldm", _GLDM)
    | _read("ngtdm", _NGTDM)
)
SHAPE: dict[int, dict[str, Measure]] = {2: _read("shape2D", _SHAPE_2D), 3: _read("shape", _SHAPE_3D)}

# Values that need the size of a pixel. Sphericity and elongation have no unit, but pixels that are not
# square change them, and 1 mm is never assumed.
NEEDS_SPACING: frozenset[str] = frozenset({"firstorder_TotalEnergy", *SHAPE[2], *SHAPE[3]})


def names(dimensions: int) -> dict[str, Measure]:
    """All values of a region in 2-D (102) or 3-D (107)."""
    return TEXTURE | SHAPE[dimensions]
