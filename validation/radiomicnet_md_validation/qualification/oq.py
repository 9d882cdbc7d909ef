# SPDX-License-Identifier: Apache-2.0
"""Operational qualification: the tests that travel with the program, run where it runs, each result kept as it ends.

Rules of this module:

- The tests run in a process of their own, in a folder of their own, without any setting of the tester's or of pytest's.
- A result is kept signed by the engine's key, with the digest of what it was got by: tests, code, environment, release,
  dependencies, and the database server that was named. Another one, or one that was changed, is run again.
- A test without a result is INCONCLUSIVE.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from radiomicnet_md.errors import ConfigurationError, IntegrityError
from radiomicnet_md_audit import canonical, dsse
from radiomicnet_md_audit.qualification import Installation
from radiomicnet_md_audit.sign import Signer
from radiomicnet_md_validation import oq
from radiomicnet_md_validation.oq import catalogue
from radiomicnet_md_validation.qualification import checks
from radiomicnet_md_validation.qualification.checks import INCONCLUSIVE, About, Result, ended

TYPE: Final = "application/vnd.radiomicnet-md.qualification-result+json"
_FOLDER: Final = Path(str(oq.__file__)).parent
_PYTEST: Final = ("-c", os.devnull, "--noconftest", "--import-mode=importlib", "--quiet", "--tb=short")
_PLUGINS: Final = ("no:cacheprovider", f"{oq.__name__}.plugin", f"{oq.__name__}.bench")
_OUTSIDE: Final = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTHONSTARTUP")


@dataclass(frozen=True, slots=True)
class Kept:
    """Where results are kept, by whom they are signed, and what they are got by."""

    folder: Path
    key: Signer
    by: str  # SHA-256 in hex

    def read(self, id_: str) -> Result | None:
        """The result of a test that ended before, if it counts for what runs now."""
        with suppress(OSError, IntegrityError):
            keys = {self.key.public.keyid: self.key.public}
            envelope = (self.folder / f"{id_}.json").read_bytes()
            said: Any = canonical.loads(dsse.open_(envelope, keys, TYPE).payload)
            if said["by"] == self.by and said["result"]["id"] == id_:
                return result(said["result"])
        return None

    def write(self, one: Result) -> None:
        """Keep a result; raises :class:`ConfigurationError` ``E-QUALIFY-WRITE``."""
        data = dsse.seal(canonical.dumps({"by": self.by, "result": one.document()}), TYPE, self.key)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            fresh = self.folder / f"{one.id}.json.new"
            fresh.write_bytes(data)
            fresh.replace(self.folder / f"{one.id}.json")
        except OSError as error:
            raise ConfigurationError(
                "E-QUALIFY-WRITE",
                f"A result cannot be kept: {error.strerror}.",
                remedy="Name a folder with room with --out; what was kept counts when it goes on.",
            ) from error


def kept(out: Path, key: Signer, now: Installation, database: str | None) -> Kept:
    """The results in a folder, as far as they count now."""
    by = {"installation": asdict(now), "protocol": checks.protocol(sources()), "database": database or ""}
    return Kept(out / "results", key, hashlib.sha256(canonical.dumps(_plain(by))).hexdigest())


def protocol() -> list[About]:
    """The tests, before they run."""
    return catalogue.every()


def sources() -> list[Path]:
    """The files that the tests, and what runs them, are written in."""
    return [*catalogue.sources(), Path(__file__)]


def run(results: Kept, database: str | None = None, program: str = "") -> Iterator[Result]:
    """Every test's result: those that count from before, then the others as they end.

    ``program`` is started in the place of the installed one; it serves to show that the tests can fail.
    """
    tests = {one.id: one for one in protocol()}
    before = {id_: found for id_ in tests if (found := results.read(id_)) is not None}
    yield from before.values()
    told = set(before)
    if len(told) < len(tests):
        for one in _ran(sorted(told), database, program):
            results.write(one)
            told.add(one.id)
            yield one
    for id_ in sorted(set(tests) - told):
        yield ended(tests[id_], INCONCLUSIVE, "it was not run to its end")


def result(document: Mapping[str, Any]) -> Result:
    """A result from its plain values."""
    return Result(**{**document, "requirements": tuple(document["requirements"])})


def _ran(skip: list[str], database: str | None, program: str) -> Iterator[Result]:
    """Run the tests but those; the process and what it made are gone at the end, whatever ends it."""
    environ = {name: value for name, value in os.environ.items() if name not in _OUTSIDE}
    # Names that begin so are settings of the program; the tests work with none but their own.
    environ = {name: value for name, value in environ.items() if not name.startswith("RADIOMICNET_MD_")}
    environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    read, write = os.pipe()
    with tempfile.TemporaryDirectory(prefix="radiomicnet-md-oq-") as folder:
        plugins = [word for name in _PLUGINS for word in ("-p", name)]
        told = [f"--oq-results={write}", f"--oq-skip={','.join(skip)}", f"--oq-database={database or ''}"]
        words = [sys.executable, "-m", "pytest", *_PYTEST, *plugins, *told, f"--oq-program={program}"]
        words += [f"--basetemp={folder}/work", f"--rootdir={folder}", str(_FOLDER)]
        process = subprocess.Popen(  # noqa: S603 - this interpreter, and tests of this package
            words, env=environ, cwd=folder, pass_fds=(write,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(write)
        try:
            with os.fdopen(read, encoding="utf-8") as lines:
                for line in lines:
                    if line.endswith("\n"):  # what ends without is of a process that was killed
                        yield result(json.loads(line))
            process.wait()
        finally:
            process.kill()
            process.wait()


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever asdict gives
    """Mappings as dictionaries, for canonical JSON."""
    return {name: _plain(one) for name, one in value.items()} if isinstance(value, Mapping) else value
