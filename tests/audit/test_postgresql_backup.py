# SPDX-License-Identifier: Apache-2.0
"""A dump of a log on PostgreSQL, taken as the how-to says, is the log of that moment, with its guards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.stored import verify_ledger
from tests.audit.postgresql import Cluster, ServerSite

COPY = "log_restored"


@pytest.mark.verifies("SRS-OPR-001", "SRS-LOG-013")
def test_a_restored_dump_verifies_against_the_anchor_that_was_copied_before_it(
    server_site: ServerSite, cluster: Cluster, tmp_path: Path
) -> None:
    address = ("--host=127.0.0.1", f"--port={cluster.port}", "--username=postgres")
    dump = cluster.folder / "log.dump"
    with server_site.open() as ledger:
        server_site.append(ledger, 5)
        anchor = server_site.anchor.read_bytes()
        server_site.append(ledger)
        size = ledger.size
        cluster._run("pg_dump", *address, "--format=custom", f"--file={dump}", server_site.name)
        server_site.append(ledger, 2)
        newer = server_site.anchor.read_bytes()
    cluster.administrate(f"CREATE DATABASE {COPY} OWNER radiomicnet_log_owner ENCODING 'UTF8' TEMPLATE template0")
    cluster._run("pg_restore", *address, "--exit-on-error", f"--dbname={COPY}", str(dump))
    try:
        there = replace(server_site, name=COPY)
        with there.read() as ledger:
            report = verify_ledger(ledger, anchor, anchor_is_copy=True)
            assert (report.ok, report.size) == (True, size), report.findings
            late = verify_ledger(ledger, newer, anchor_is_copy=True)
            assert [found.code for found in late.findings] == ["E-ANCHOR-LEADS"]
        for change in ("UPDATE entry SET envelope = ''", "TRUNCATE entry"):
            with cluster.session("device", COPY) as session, pytest.raises(psycopg.Error):
                session.execute(f"SET search_path TO radiomicnet_log; {change}")
        place = tmp_path / "other.anchor"
        place.write_bytes(anchor)
        with Ledger.open(there.url, there.engine, there.log, place, policy=there.policy) as ledger:
            assert there.append(ledger)[0].index == size
    finally:
        cluster.disconnect(COPY)
        cluster.administrate(f"DROP DATABASE {COPY}")
