# SPDX-License-Identifier: Apache-2.0
"""What is mutated, in groups, and which tests judge each module.

Rules of this module:

- A group is what a reviewer asks about in one breath; it has its own file of survivors and its own table.
- The tests of a module are files below ``tests``, without ``test_``: those that are about it. A survivor has gone
  through all of those that reach it.
"""

from __future__ import annotations

from collections.abc import Mapping

Tests = tuple[str, ...]

# `format` holds the published vectors against what the code writes.
_AUDIT: Mapping[str, Tests] = {
    "canonical": ("canonical", "dsse"),
    "encoding": ("canonical",),
    "merkle": ("merkle",),
    "note": ("checkpoint",),
    "checkpoint": ("checkpoint",),
    "cosignature": ("cosignature", "witness"),
    "dsse": ("dsse",),
    "proof": ("proof",),
    "statement": ("statement", "policy"),
    "policy": ("policy", "policy_edges", "keychange_edges"),
    "anchor": ("anchor",),
    "keychange": ("keychange_edges",),
    "persons": ("persons_edges", "persons"),
    "esignature": ("esignature_edges", "vectors_people"),
    "attested": ("attested", "esignature_edges", "vectors_people"),
    "examine": ("verify_edges", "verify_report", "keychange_edges"),
    "verify": ("verify_edges", "verify_report", "keychange_edges", "esignature_edges"),
    "tiles": ("tiles",),
    "bundle": ("bundle_edges", "outside_edges"),
    "stored": ("stored_edges", "evidence"),
}

GROUPS: Mapping[str, Mapping[str, Tests]] = {
    "metrics": {
        "radiomicnet_md_validation.metrics": ("validation/metrics",),
        "radiomicnet_md_validation.calibration": ("validation/calibration",),
        "radiomicnet_md_validation.performance": ("validation/performance_figures",),
    },
    "statistics": {
        "radiomicnet_md_validation.statistics": ("validation/statistics_edges", "validation/statistics"),
        "radiomicnet_md_validation.sample_size": ("validation/statistics_edges", "validation/performance"),
        "radiomicnet_md_validation.acceptance": ("validation/acceptance",),
        "radiomicnet_md.monitoring.statistics": ("monitoring/drift_statistics",),
    },
    "guards": {
        "radiomicnet_md.engine.acceptance": ("engine/acceptance_says", "engine/acceptance"),
        "radiomicnet_md.engine.familiar": ("engine/familiar_alone",),
        "radiomicnet_md.engine.gating": ("engine/gate_path",),
        "radiomicnet_md.engine.revocation": ("engine/lock_revocation",),
        "radiomicnet_md.io.source": ("io/source_alone", "io/bounds"),
        "radiomicnet_md.io.levels": ("io/source_alone",),
        "radiomicnet_md.io.opening": ("io/opening_alone",),
        "radiomicnet_md.io.dicom_pixels": ("io/dicom_pixels",),
    },
    "gates": {
        f"radiomicnet_md_traceability.{module}": tuple(
            f"traceability/{name}_alone" for name in ("rules_items", "rules_results", "status")
        )
        for module in ("rules", "rules_items", "rules_risk", "rules_results", "rules_soup", "status", "verdict")
    },
    "audit": {
        f"radiomicnet_md_audit.{module}": tuple(f"audit/{name}" for name in ("format", *tests))
        for module, tests in _AUDIT.items()
    },
}
