# SPDX-License-Identifier: Apache-2.0
"""What the API's own description allows and forbids is sent to it, and every answer is one that it describes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.web.conftest import Site

pytestmark = pytest.mark.verifies("SRS-PAG-008", "SRS-PAG-009")
EACH = 40  # requests of each kind to each operation


def test_every_answer_of_the_api_is_one_that_its_description_has(site: Site, require: Callable[[str], Path]) -> None:
    require("schemathesis")
    import schemathesis
    from schemathesis.generation import GenerationMode

    site.sign_in("rita")
    described = schemathesis.openapi.from_dict(site.client.get("/api/openapi.json").json())
    digest = site.house.open(site.cases.result).predicate["outputs"]["mask_sha256"]
    known = {"record_id": site.cases.result, "digest": digest}
    operations = [one.ok() for one in described.get_all_operations()]
    assert len(operations) >= 6
    statuses: set[int] = set()
    for operation in operations:

        def ask(case: Any, *, real: bool) -> None:  # noqa: ANN401
            operation = case.operation
            if real:
                case.path_parameters = {name: known[name] for name in known if "{" + name + "}" in operation.path}
            site.house.requests._times.clear()
            asked = case.as_transport_kwargs(base_url=str(site.client.base_url))
            asked = {name: asked[name] for name in ("method", "url", "params") if asked.get(name) is not None}
            answer = site.client.request(**asked, follow_redirects=False)
            statuses.add(answer.status_code)
            assert answer.status_code < 500, (operation.label, asked, answer.text)
            said = operation.definition.raw["responses"]
            if answer.status_code != 200:
                assert answer.json()["error"].keys() == {"code", "text", "remedy"}, (operation.label, asked)
            assert str(answer.status_code) in said or "default" in said

        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            made = operation.as_strategy(generation_mode=mode)
            bound = settings(
                max_examples=EACH,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
                derandomize=True,
            )
            bound(given(case=made, real=st.booleans())(ask))()
    assert 200 in statuses
    assert statuses & {400, 404}
    assert not (site.home / "logs" / "errors.jsonl").exists()
