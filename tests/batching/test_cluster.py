# SPDX-License-Identifier: Apache-2.0
"""A cluster records each case once and gives what one machine gives, whoever in it dies."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from radiomicnet_md import home as homes
from radiomicnet_md.batching import cluster
from radiomicnet_md.config import Tls
from radiomicnet_md.errors import ConfigurationError, ExitCode, UsageError
from tests import desks
from tests.batching import clusters
from tests.batching.test_batch import requests

SAME_MACHINE = "tcp://127.0.0.1:1"


@pytest.mark.verifies("SRS-BAT-005", "SRS-BAT-001")
def test_a_cluster_gives_what_one_machine_gives_and_records_each_case_once(tmp_path: Path) -> None:
    home = homes.create(tmp_path / "home")
    desks.write_images(tmp_path / "in", *(f"scan-{n}.png" for n in range(12)))
    with clusters.cluster(tmp_path, home.folder) as (address, _):
        done = clusters.batch(home.folder, tmp_path / "in", tmp_path / "out", "--scheduler", address)
        assert done.returncode == 0, done.stderr
        assert "2 processes on " in done.stderr
        again = clusters.batch(home.folder, tmp_path / "in", tmp_path / "out", "--scheduler", address, "--resume")
    assert again.returncode == 0, again.stderr
    assert sorted(again.stdout.splitlines()) == sorted(done.stdout.splitlines())
    found = requests(home)
    assert len(found) == 12
    assert set(found.values()) == {1}
    other = homes.create(tmp_path / "other")
    alone = clusters.batch(other.folder, tmp_path / "in", tmp_path / "alone", "--jobs", "1")
    assert alone.returncode == 0, alone.stderr
    for number in range(12):
        name = Path(f"scan-{number}") / "mask.png"
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
    platforms = [json.loads(line)["mask_sha256"] for line in done.stdout.splitlines()]
    assert Counter(platforms) == Counter(json.loads(line)["mask_sha256"] for line in alone.stdout.splitlines())


@pytest.mark.verifies("SRS-BAT-007")
def test_work_goes_to_workers_of_the_same_log_alone(tmp_path: Path) -> None:
    home, other = homes.create(tmp_path / "home"), homes.create(tmp_path / "other")
    desks.write_images(tmp_path / "in", "scan.png")
    with clusters.cluster(tmp_path, other.folder, jobs=1) as (address, _):
        done = clusters.batch(home.folder, tmp_path / "in", tmp_path / "out", "--scheduler", address)
    assert done.returncode == ExitCode.RETRY, done.stderr
    assert "E-CLUSTER-WORKERS" in done.stderr
    assert "1 of others" in done.stderr
    assert not (tmp_path / "out").exists()
    assert not requests(home)


@pytest.mark.verifies("SRS-BAT-004")
def test_a_scheduler_that_is_not_there_is_said_before_anything_begins(tmp_path: Path) -> None:
    home = homes.create(tmp_path / "home")
    desks.write_images(tmp_path / "in", "scan.png")
    done = clusters.batch(home.folder, tmp_path / "in", tmp_path / "out", "--scheduler", SAME_MACHINE)
    assert done.returncode == ExitCode.CONFIGURATION
    assert "E-CLUSTER-ABSENT" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.verifies("SRS-BAT-008")
@pytest.mark.parametrize(
    "address",
    [
        "tcp://10.0.0.1:8786", "tcp://example.org:8786", "http://127.0.0.1:80", "127.0.0.1:8786", "tcp://127.0.0.1",
        "tls://host:port", "tcp://127.0.0.1:8786/x", "tcp://[::2]:8786", "", "tls://", "tcp://127.0.0.1.example.org:1",
    ],
)  # fmt: skip
def test_nobody_is_spoken_to_in_the_clear_but_this_machine(address: str) -> None:
    with pytest.raises(UsageError) as raised:
        cluster.security(address, None)
    assert raised.value.code == "E-CLUSTER-ADDRESS"


@pytest.mark.verifies("SRS-BAT-008")
def test_between_hosts_certificates_are_needed_and_used(tmp_path: Path) -> None:
    names = ("certificate", "key", "ca")
    tls = Tls(**{f"{name}_file": tmp_path / f"{name}.pem" for name in names})
    for given in (None, tls):
        with pytest.raises(ConfigurationError) as raised:
            cluster.security("tls://host.example.org:8786", given)
        assert raised.value.code == "E-CLUSTER-TLS"
    for name in names:
        (tmp_path / f"{name}.pem").touch()
    made = cluster.security("tls://host.example.org:8786", tls)
    assert made.require_encryption
    assert made.tls_ca_file == str(tmp_path / "ca.pem")
    assert made.tls_client_key == made.tls_worker_key == str(tmp_path / "key.pem")
    assert cluster.is_local("tls://127.0.0.1:1")
    assert not cluster.is_local("tls://host.example.org:8786")


@pytest.mark.verifies("SRS-BAT-008")
def test_workers_of_several_hosts_need_a_log_that_they_share(tmp_path: Path) -> None:
    home = homes.create(tmp_path / "home")
    process = clusters.worker(home.folder, "tls://host.example.org:8786", "--jobs", "1")
    _, said = process.communicate(timeout=120)
    assert process.returncode == ExitCode.CONFIGURATION
    assert "E-CLUSTER-LOG" in said
