# SPDX-License-Identifier: Apache-2.0
"""What a test of operation is about stands on it, and the list of all of them is read from there."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from radiomicnet_md_validation.qualification.checks import About

MODULES: Final = ("test_program", "test_decisions", "test_refusals", "test_log", "test_people")
_MARK: Final = "about"

_Test = TypeVar("_Test", bound=Callable[..., None])


def about(id_: str, *requirements: str, objective: str, expected: str) -> Callable[[_Test], _Test]:
    """Say what a test is about; an id is given once and never again."""

    def mark(test: _Test) -> _Test:
        setattr(test, _MARK, About(id_, requirements, objective, expected))
        return test

    return mark


def of(test: object) -> About | None:
    """What a test says it is about."""
    found = getattr(test, _MARK, None)
    return found if isinstance(found, About) else None


def every() -> list[About]:
    """All tests, by their ids. Needs the extra ``validation``."""
    modules = [importlib.import_module(f"{__package__}.{name}") for name in MODULES]
    values: list[Any] = [value for module in modules for value in vars(module).values()]
    return sorted((one for value in values if (one := of(value)) is not None), key=lambda one: one.id)


def sources() -> list[Path]:
    """The files that the tests are written in."""
    return sorted(Path(__file__).parent.glob("*.py"))
