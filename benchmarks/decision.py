# SPDX-License-Identifier: Apache-2.0
"""Where the time of one decision goes, stage by stage, as a Markdown table.

``python benchmarks/decision.py [--repeat N]``. One process, torch and numba with their usual threads, a generated
448 × 560 image; each time is the median of the repetitions after one call that compiles.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

from radiomicnet_md import phantom
from radiomicnet_md.engine import decide, measure, resample
from radiomicnet_md.engine.release import default_folder, open_release
from radiomicnet_md.engine.segment import Engine
from radiomicnet_md.engine.torch_engine import TorchEngine
from radiomicnet_md.radiomics import per_lesion, region
from radiomicnet_md.radiomics.definitions import NAMED


def median(call: Callable[[], object], repeat: int) -> float:
    """Median milliseconds of ``repeat`` calls after a first one."""
    call()
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--repeat", type=int, default=15)
    repeat = parser.parse_args().repeat
    engine = Engine.load(open_release(default_folder()))
    source = phantom.make(1).pixels
    proposal = engine.propose(source)
    levels, codes = proposal.measured.levels, proposal.codes[: len(NAMED)]
    decision = engine.decide(source, (0.1, 0.1))
    mask = resample.enlarge_mask(decision.chosen[0].pixels, source.shape[0], source.shape[1])
    network = TorchEngine(engine.program, engine.tensors, engine.spatial)
    views, factors = engine.preprocessing.views(levels), engine.factors(proposal.measured.paper)
    found = decide.candidates(decide.upsample(proposal.evidence.logit, levels.shape[0], levels.shape[1]))
    rows: list[tuple[str, Callable[[], object]]] = [
        ("measure: working grid, 13 values, 32 maps", lambda: measure.measure(source, engine.preprocessing)),
        ("network in exact integers", lambda: network.run(views, factors)),
        (
            "candidate regions",
            lambda: decide.candidates(decide.upsample(proposal.evidence.logit, levels.shape[0], levels.shape[1])),
        ),
        (
            f"named values and terms of {len(found.tree)} candidates",
            lambda: engine.regions.read(region.measure(found.tree, levels, codes)),
        ),
        ("PyRadiomics' 102 values of the lesion", lambda: per_lesion.measure(source, mask, (0.1, 0.1))),
        ("the whole decision", lambda: engine.decide(source, (0.1, 0.1))),
        ("known-answer test (4 inputs)", engine.known_answer_test),
    ]
    print("| Stage of one decision | median ms |\n|---|---|")
    for name, call in rows:
        print(f"| {name} | {median(call, repeat):.1f} |")


if __name__ == "__main__":
    main()
