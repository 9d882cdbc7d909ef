# SPDX-License-Identifier: Apache-2.0
"""What the other comparisons say is computed from what they measured."""

from __future__ import annotations

import pytest

from benchmarks import networks_monai, run


@pytest.mark.verifies("SRS-MOD-009")
def test_what_comes_on_top_of_a_network_is_taken_from_call_to_call() -> None:
    calls = {"the network called": [0.010, 0.020, 0.030], "inferer": [0.011, 0.023, 0.032]}
    text = networks_monai.table("monai 1", {"unet": calls, "cmunext": calls}, {"program": [1.0]})
    assert "| the network called | 20.0 |  | 20.0 |  |" in text
    assert "| inferer | 23.0 | 2.00 (1.00 to 3.00) | 23.0 | 2.00 (1.00 to 3.00) |" in text
    assert "| program | 1000.0 |  |  |  |" in text.splitlines()


@pytest.mark.verifies("SRS-CLI-003")
def test_installed_size_is_that_of_everything_that_is_needed() -> None:
    needed = run.closure("radiomicnet-md")
    assert {"torch", "numpy", "cryptography", "rfc8785", "radiomicnet-md-audit"} <= needed
    assert "pytest" not in needed
    assert run.installed_bytes("rfc8785") > 1000
