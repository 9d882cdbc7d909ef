# SPDX-License-Identifier: Apache-2.0
"""Shape: values of the region alone, in millimetres. No map has them."""

from __future__ import annotations

from radiomicnet_md.radiomics.definition_tables.measure import (
    BRAIN,
    NO_SPACING,
    SLICE,
    Group,
    Measure,
    Reference,
    named,
)

_BY_N = "IBSI divides the covariance by n−1"

SHAPE_2D = Group(
    "Shape of a 2-D region (9)",
    """\
A and L are area and length of the polygon that marching squares draw around the region (through the middle of the
edges between a px inside and one outside); n is the number of px, a the area of one; λ₁ ≥ λ₂ are the eigenvalues of
the covariance (divided by n) of the centres of the px in mm. IBSI has no 2-D shape values.""",
    named(
        "shape2D",
        {
            "Elongation": Measure("", "√(λ₂ / λ₁)", "1", Reference("0.702629", source=SLICE)),
            "MajorAxisLength": Measure("", "4 √λ₁", "mm", Reference("33.8528", source=SLICE)),
            "MaximumDiameter": Measure("", "largest distance of vertices", "mm", Reference("35.5791", source=SLICE)),
            "MeshSurface": Measure("", "A", "mm²", Reference("600.281", source=SLICE)),
            "MinorAxisLength": Measure("", "4 √λ₂", "mm", Reference("23.7859", source=SLICE)),
            "Perimeter": Measure("", "L", "mm", Reference("101.091", source=SLICE)),
            "PerimeterSurfaceRatio": Measure("", "L / A", "mm⁻¹", Reference("0.168407", source=SLICE)),
            "PixelSurface": Measure("", "n a", "mm²", Reference("600.586", source=SLICE)),
            "Sphericity": Measure("", "2 √(π A) / L", "1", Reference("0.859148", source=SLICE)),
        },
        NO_SPACING,
    ),
)

SHAPE_3D = Group(
    "Shape of a 3-D region (14)",
    """\
V and S are volume and surface of the mesh that marching cubes draw around the region; n is the number of px, v the
volume of one; λ₁ ≥ λ₂ ≥ λ₃ are the eigenvalues of the covariance (divided by n; IBSI's reference values divide by
n−1) of the centres of the px in mm. "Slice", "Row" and "Column" are planes: rows and columns, rows and slices, columns
and slices.""",
    named(
        "shape",
        {
            "Elongation": Measure("Q3CK", "√(λ₂ / λ₁)", "1", Reference("0.816", "0.005")),
            "Flatness": Measure("N17B", "√(λ₃ / λ₁)", "1", Reference("0.749", "0.005")),
            "LeastAxisLength": Measure("7J51", "4 √λ₃", "mm", Reference("8.54", "0.05", differs=_BY_N)),
            "MajorAxisLength": Measure("TDIC", "4 √λ₁", "mm", Reference("11.4", "0.1")),
            "Maximum2DDiameterColumn": Measure(
                "", "largest distance of vertices of one plane", "mm", Reference("49.4909", source=BRAIN)
            ),
            "Maximum2DDiameterRow": Measure(
                "", "largest distance of vertices of one plane", "mm", Reference("65.8891", source=BRAIN)
            ),
            "Maximum2DDiameterSlice": Measure(
                "", "largest distance of vertices of one plane", "mm", Reference("53.5940", source=BRAIN)
            ),
            "Maximum3DDiameter": Measure("L0JK", "largest distance of vertices", "mm", Reference("13.1", "0.1")),
            "MeshVolume": Measure("RNU0", "V", "mm³", Reference("556", "4")),
            "MinorAxisLength": Measure("P9VJ", "4 √λ₂", "mm", Reference("9.31", "0.06", differs=_BY_N)),
            "Sphericity": Measure("QCFX", "∛(36 π V²) / S", "1", Reference("0.843", "0.005")),
            "SurfaceArea": Measure("C0JK", "S", "mm²", Reference("388", "3")),
            "SurfaceVolumeRatio": Measure("2PR5", "S / V", "mm⁻¹", Reference("0.698", "0.004")),
            "VoxelVolume": Measure("YEKZ", "n v", "mm³", Reference("592", "4")),
        },
        NO_SPACING,
    ),
)
