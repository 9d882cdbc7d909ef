# SPDX-License-Identifier: Apache-2.0
"""Code is broken as it is written down, for whoever holds it; a break that does not fit changes nothing and says so."""

from __future__ import annotations

import importlib
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from radiomicnet_md_traceability import breaking

pytestmark = pytest.mark.verifies("SRS-TRC-014")

NAME = "broken_for_the_tests_of_breaking"
SOURCE = '''
import asyncio
import contextlib
import functools

LIMIT = 10


class TooMuch(Exception):
    pass


def check(n):
    """Raises."""
    if n > LIMIT:
        raise TooMuch(n)
    return n


def steps(n):
    for i in range(n):
        yield i


@contextlib.contextmanager
def open_(name):
    yield name


@functools.cache
def once(n):
    return n + 1


async def later(n):
    if n < 0:
        raise TooMuch(n)
    return n


class Base:
    def size(self):
        return 1


class Part(Base):
    kind = "part"

    def size(self):
        if super().size() > 5:
            raise TooMuch
        return super().size() + self.__own()

    def __own(self):
        return 1

    @property
    def whole(self):
        return True

    @classmethod
    def made(cls, n):
        return cls(), n

    @staticmethod
    def plain(n):
        return n


def counter(start):
    def count():
        return start

    return count


start = counter(7)
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A module of the test's own, and another that took two names of it over before anything was broken."""
    (tmp_path / f"{NAME}.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / f"{NAME}_user.py").write_text(f"from {NAME} import LIMIT, check\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield importlib.import_module(f"{NAME}_user")
    for name in (NAME, f"{NAME}_user"):
        sys.modules.pop(name)


def broken(qualname: str, **how: object) -> ModuleType:
    breaking.apply({"way": "absent", "symbol": f"{NAME}:{qualname}", **how})
    return sys.modules[NAME]


def test_who_has_imported_a_function_or_a_constant_holds_the_broken_one(module: Any) -> None:  # noqa: ANN401
    broken("check", **{"return": "n * 2"})
    assert (module.check(50), sys.modules[NAME].check(50)) == (100, 100)
    broken("LIMIT", value="it + LIMIT + 1")
    assert (module.LIMIT, sys.modules[NAME].LIMIT) == (21, 21)


@pytest.mark.usefixtures("module")
def test_an_exception_is_swallowed_or_logged_where_it_was_raised(caplog: pytest.LogCaptureFixture) -> None:
    made: Any = broken("check", swallow="TooMuch", give="n - 1")
    assert (made.check(50), made.check(5), caplog.text) == (49, 5, "")
    assert broken("Part.size", log="TooMuch").Part().size() == 2
    made = broken("later", log="TooMuch")
    with caplog.at_level(logging.ERROR):
        assert made.asyncio.run(made.later(-3)) == -3
    assert "TooMuch" in caplog.text


@pytest.mark.usefixtures("module")
def test_a_text_of_the_source_is_replaced_and_what_is_noted_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    made: Any = broken("check", replace=["if n > LIMIT:", "if n > LIMIT and noted(n):"])
    with caplog.at_level(logging.ERROR):
        assert made.check(50) == 50
    assert "noted, and continued: (50,)" in caplog.text


@pytest.mark.usefixtures("module")
@pytest.mark.parametrize(
    ("qualname", "use", "found"),
    [
        ("steps", lambda made: list(made.steps(3)), []),
        ("open_", lambda made: made.open_.__wrapped__("n").__class__.__name__, "generator"),
        ("once", lambda made: made.once(4), None),
        ("Part.size", lambda made: made.Part().size(), None),
        ("Part.whole", lambda made: made.Part().whole, None),
        ("Part.made", lambda made: made.Part.made(1), None),
        ("Part.plain", lambda made: made.Part.plain(1), None),
        ("start", lambda made: made.start(), None),
    ],
)
def test_functions_of_every_kind_can_be_broken(qualname: str, use: Any, found: object) -> None:  # noqa: ANN401
    before: Any = sys.modules[NAME]
    assert use(before) != found or qualname == "open_"
    if qualname == "once":
        before.once.cache_clear()
    assert use(broken(qualname, **{"return": "None"})) == found


@pytest.mark.usefixtures("module")
def test_a_member_of_a_class_is_set() -> None:
    made: Any = broken("Part.kind", value="it.upper()")
    assert made.Part.kind == "PART"


@pytest.mark.usefixtures("module")
@pytest.mark.parametrize(
    ("qualname", "how"),
    [
        ("gone", {"return": "1"}),
        ("Part.gone", {"return": "1"}),
        ("LIMIT", {"return": "1"}),
        ("Part", {"return": "1"}),
        ("check", {"replace": ["no such text", ""]}),
        ("once", {"replace": ["n", "m"]}),
        ("check", {"replace": ["if n > LIMIT:", "if:"]}),
        ("check", {"replace": ["return n", "nonlocal x"]}),
        ("check", {"log": "KeyError"}),
        ("check", {"log": ""}),
        ("LIMIT", {"value": "it + nothing"}),
        ("start", {"replace": ["return start", "return 1"]}),
    ],
)
def test_a_break_that_does_not_fit_says_so_and_changes_nothing(qualname: str, how: dict[str, Any]) -> None:
    with pytest.raises(breaking.BreakError):
        broken(qualname, **how)
    made: Any = sys.modules[NAME]
    assert (made.check(5), made.LIMIT, made.once(1), made.start()) == (5, 10, 2, 7)
    with pytest.raises(made.TooMuch):
        made.check(11)


def test_a_module_that_is_not_there_is_no_kill() -> None:
    with pytest.raises(breaking.BreakError, match="is not there"):
        breaking.apply({"symbol": "no_such_module:f", "return": "1"})


EVERY = """
import importlib, os, sys
from pathlib import Path
from radiomicnet_md_traceability import breaking, graph, mutants

items = graph.build(Path(sys.argv[1]), structure=True).items.of("control")
found = [mutant for item in items for mutant in mutants.of(item)]
for mutant in found:
    importlib.import_module(mutant.how["symbol"].partition(":")[0])
for mutant in found:
    pid = os.fork()
    if not pid:
        try:
            breaking.apply(mutant.how)
        except breaking.BreakError as error:
            print(mutant.name, error, flush=True)
        os._exit(0)
    os.waitpid(pid, 0)
"""


def test_every_break_of_the_project_fits_its_source(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", EVERY, str(root)], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
