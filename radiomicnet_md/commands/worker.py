# SPDX-License-Identifier: Apache-2.0
"""``worker``: decide for the batches of a cluster."""

from __future__ import annotations

import argparse
import os

from radiomicnet_md.commands.batch import jobs
from radiomicnet_md.commands.call import Call
from radiomicnet_md.commands.stopping import asked_to_stop
from radiomicnet_md.errors import ExitCode

_EXAMPLE = """\
examples:
  dask scheduler --host 127.0.0.1 --port 8786                      (once, on one host)
  radiomicnet-md worker tcp://127.0.0.1:8786 --jobs 2              (on each host that decides)
  radiomicnet-md batch images --out results --scheduler tcp://127.0.0.1:8786

Release, installation and known answers are tested before any work is taken. Between hosts: tls://HOST:PORT, the
certificate under cluster: in config.yaml, and the log on PostgreSQL. See docs/how-to/scale-out.md.
"""


def arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add what ``worker`` takes."""
    del shared
    parser.epilog = _EXAMPLE
    parser.add_argument("scheduler", metavar="ADDRESS", help="tls://HOST:PORT, or tcp://127.0.0.1:PORT")
    parser.add_argument("--jobs", type=jobs, default=os.cpu_count() or 1, metavar="N", help="processes")


def run(call: Call) -> int:
    """Work until somebody ends it."""
    from radiomicnet_md import compiling, opening
    from radiomicnet_md.batching import worker
    from radiomicnet_md.home import open_home

    compiling.announce(call.console.note)
    given, settings = call.given, call.settings()
    passphrase = open_home(settings.home).passphrase()
    barred = opening.refusal(settings)
    if barred is not None:
        raise barred
    line = {"status": "working", "scheduler": given.scheduler, "jobs": given.jobs}
    text = f"deciding for {given.scheduler} in {given.jobs} process{'es' if given.jobs > 1 else ''}; Ctrl-C ends it"
    with asked_to_stop(lambda: call.console.note("stopping")) as (stop, _):
        worker.work(settings, passphrase, given.scheduler, given.jobs, stop, lambda: call.console.emit(line, text))
    return ExitCode.OK
