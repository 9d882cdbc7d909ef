# SPDX-License-Identifier: Apache-2.0
"""``dicom deidentify``: copies of ultrasound images without their patients.

What is kept and how pseudonyms are made is in ``docs/how-to/deidentify.md``.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
from pathlib import Path

from radiomicnet_md.commands.call import Call
from radiomicnet_md.errors import ExitCode, Problem

_BURNED_IN = {True: "text is burned into the picture", None: "the file does not say whether text is burned in"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is copied, and where to."""
    parser.add_argument("input", nargs="+", type=Path, metavar="INPUT", help="files, folders, DICOMDIR or ZIP files")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="where the copies go")


def run(call: Call) -> int:
    """Write a copy of each image, and say what has to be looked at."""
    from radiomicnet_md import io
    from radiomicnet_md.desk import expanded
    from radiomicnet_md.home import open_home
    from radiomicnet_md.io.deidentifying import deidentified
    from radiomicnet_md.io.files import place

    home = open_home(call.settings().home)
    key = hmac.new(home.vault_key(home.passphrase()), b"radiomicnet-md deidentify 1", hashlib.sha256).digest()
    files = dict.fromkeys(io.Input(item.path, item.member) for item in expanded(call.given.input))
    codes: list[int] = []
    for item in call.console.progress(files, "copying", len(files)):
        try:
            made = deidentified(item.load(), key)
        except Problem as problem:
            codes.append(problem.exit_code)
            reason = {"code": problem.code, "text": str(problem), "remedy": problem.remedy}
            line = {"status": "refused", "input": item.shown, "reason": reason}
            call.console.emit(line, f"refused   {item.shown}\n          {problem} [{problem.code}]")
            continue
        path = call.given.out / f"{made.instance}.dcm"
        place(path, made.data)
        codes.append(ExitCode.OK)
        look = _BURNED_IN.get(made.burned_in)
        told = {"status": "written", "input": item.shown, "output": str(path), "burned_in": made.burned_in}
        note = f"\n          look at it: {look}" if look else ""
        call.console.emit(told, f"written   {item.shown} → {path}{note}")
    if len(set(codes)) == 1:
        return codes[0]
    return ExitCode.SOME_FAILED
