# SPDX-License-Identifier: Apache-2.0
"""``mercure``: be a processing module of the orchestrator mercure, inside the container that it starts."""

from __future__ import annotations

import argparse
import os
from typing import Any

from radiomicnet_md.commands.call import Call

_EXAMPLE = """\
example:
  MERCURE_IN_DIR=in MERCURE_OUT_DIR=out radiomicnet-md mercure --home HOME

Decides the images in MERCURE_IN_DIR and leaves the objects and result.json in MERCURE_OUT_DIR. The home has to outlive
the container: mount it. Exit code 0: each case ended in a result or a recorded refusal.
"""


def arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Say what ``mercure`` does; it takes nothing of its own."""
    del shared
    parser.epilog = _EXAMPLE


def run(call: Call) -> int:
    """Do what the task says."""
    from radiomicnet_md import compiling
    from radiomicnet_md.dicomnode.mercure import process

    compiling.announce(call.console.note)
    return process(call.settings(), os.environ, lambda line: call.console.emit(line, _text(line)))


def _text(line: dict[str, Any]) -> str:
    reason = "" if line["reason"] is None else f", {line['reason']['code']}"
    return f"{line['status']:<9} record {line['record_id']}{reason}"
