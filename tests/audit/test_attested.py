# SPDX-License-Identifier: Apache-2.0
"""The times that are kept of each decision for its signatures come back as they were written."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiomicnet_md_audit import attested, clock


@pytest.mark.verifies("SRS-LOG-015", "SRS-SIG-006")
@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001
def test_every_time_of_the_log_comes_back_from_nine_bytes(moment: datetime) -> None:
    text = clock.Instant(moment, 0).text()
    kept = attested._digits(text)
    assert len(kept) == 9
    assert attested._time(kept) == text
