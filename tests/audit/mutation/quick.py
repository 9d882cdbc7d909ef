# SPDX-License-Identifier: Apache-2.0
"""The tests as a mutant meets them: in this process, few examples and always the same, nothing that takes seconds.

Rules of this module:

- A pytest plugin; ``__main__`` hands it to mutmut.
- What is left out is named below or asks for a program. A mutant that only such a test would find counts as survived.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import pytest
from hypothesis import HealthCheck, Phase, settings

from radiomicnet_md_traceability import load

EXAMPLES = 30

load.requirement_ids = cache(load.requirement_ids)  # once for all mutants, which are forks of one process

# Long, or about other things than a verdict: memory, time, other processes.
LEFT_OUT = (
    "test_a_changed_byte_anywhere_in_the_database_gives_exit_code_4",
    "test_a_held_state_makes_the_next_wait_and_then_give_up",
    "test_any_history_of_keys_verifies_and_its_policy_says_who_signed_what",
    "test_bytes_all_over_an_export_of_200_records_count",
    "test_every_byte_of_every_file_of_a_small_export_counts",
    "test_honest_histories_have_no_findings",
    "test_memory_grows_by_the_ids_of_records_alone",
    "test_the_offline_verifier_needs_no_torch_database_or_network",
    "test_two_processes_make_one_chain",
    "test_writers_anchor_for_each_other",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    kept = [item for item in items if not _left_out(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept
    _few_examples(kept)


def _left_out(item: pytest.Item) -> bool:
    return getattr(item, "originalname", None) in LEFT_OUT or "require" in getattr(item, "fixturenames", ())


def _few_examples(items: Iterable[pytest.Item]) -> None:
    for item in items:
        law = getattr(item, "obj", None)
        if getattr(law, "is_hypothesis_test", False):
            law = getattr(law, "__func__", law)
            asked = law._hypothesis_internal_use_settings
            law._hypothesis_internal_use_settings = settings(
                max_examples=min(asked.max_examples, EXAMPLES),
                derandomize=True,
                database=None,
                deadline=None,
                phases=(Phase.explicit, Phase.generate),
                suppress_health_check=list(HealthCheck),
            )
