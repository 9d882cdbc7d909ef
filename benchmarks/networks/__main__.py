# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.networks train RECIPE.yaml …``: the training program, which then also knows the baselines."""

from __future__ import annotations

from benchmarks.networks import BASELINES
from radiomicnet_md_training import networks
from radiomicnet_md_training.__main__ import main

if __name__ == "__main__":
    networks.BASELINES.update({name: baseline.build for name, baseline in BASELINES.items()})
    raise SystemExit(main(command=["-m", "benchmarks.networks"]))
