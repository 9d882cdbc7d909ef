# SPDX-License-Identifier: Apache-2.0
"""Every attack of the catalogue ends as it says, in exit code, claims and findings; the catalogue is whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.audit.postgresql import Cluster
from tests.audit.tampering import catalogue
from tests.audit.tampering.attacks import ATTACKS
from tests.audit.tampering.catalogue import BY, STORES, VERDICTS, Case
from tests.audit.tampering.scene import SIZE, Scene, Template

CASES = catalogue.load()
RUNS = [pytest.param(case, store, id=f"{case.id}-{store}") for case in CASES for store in case.stores]


@pytest.fixture(scope="session")
def template() -> Iterator[Template]:
    made = Template()
    yield made
    made.remove()


@pytest.fixture
def scene(template: Template, store: str, request: pytest.FixtureRequest) -> Iterator[Scene]:
    cluster: Cluster | None = request.getfixturevalue("cluster") if store == "postgresql" else None
    made = template.scene(cluster)
    yield made
    template.remove([made])


@pytest.mark.verifies("SRS-LOG-004", "SRS-LOG-005", "SRS-LOG-006", "SRS-LOG-009")
@pytest.mark.parametrize(("case", "store"), RUNS)
def test_an_attack_ends_as_the_catalogue_says(case: Case, store: str, scene: Scene) -> None:
    assert catalogue.run(case, store, scene) == []


@pytest.mark.verifies("SRS-LOG-018")
@pytest.mark.parametrize("store", STORES)
def test_without_an_attack_everything_holds(store: str, scene: Scene) -> None:
    said = scene.verify_export(scene.kept) if store == "export" else scene.verify(scene.kept)
    assert (said.exit, said.codes) == (0, frozenset())
    assert said.claims == catalogue.stated(None, store, fails=False, anchored=True)
    assert len(scene.entries()) == SIZE


@pytest.mark.verifies("SRS-LOG-004")
def test_the_catalogue_is_whole() -> None:
    assert len(CASES) >= 200
    assert len({case.id for case in CASES}) == len(CASES)
    assert len({case.title for case in CASES}) >= len(CASES) - 6
    used = {name for case in CASES for step in case.does for name in step}
    assert used == set(ATTACKS)
    assert {case.verdict for case in CASES} == set(VERDICTS)
    assert {case.by for case in CASES} == set(BY)
    assert {store for case in CASES for store in case.stores} == set(STORES)


CHANGED = next(case for case in CASES if case.id == "record-changed-both-keys")


@pytest.mark.verifies("SRS-LOG-004")
@pytest.mark.parametrize("store", ["sqlite"])
@pytest.mark.parametrize(
    "other",
    [
        replace(CHANGED, codes=["E-ANCHOR-LEADS"]),
        replace(CHANGED, verdict="D", exit=7, anchor=True),
        replace(CHANGED, verdict="D", fails=["trusted"], anchor=True),
        replace(CHANGED, verdict="D"),
        replace(CHANGED, verdict="N", exit=0, codes=[], fails=[], limit="no such words"),
        replace(CHANGED, verdict="R", exit=0, codes=[], fails=[], refused="append-only"),
    ],
)
def test_an_attack_that_ends_otherwise_is_told(other: Case, store: str, scene: Scene) -> None:
    assert catalogue.run(other, store, scene)


@pytest.mark.verifies("SRS-LOG-004")
@pytest.mark.parametrize(
    "changes",
    [{"exit": 0}, {"codes": []}, {"verdict": "N"}, {"by": "nobody"}, {"stores": []}, {"fails": ["x"]}],
)
def test_a_case_that_could_not_fail_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="record-changed"):
        Case(**{**vars(replace(CHANGED, verdict="D")), **changes})
