# SPDX-License-Identifier: Apache-2.0
"""A log's file is kept off network file systems, whatever they are mounted over or under."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from radiomicnet_md_audit import mounts
from radiomicnet_md_audit.errors import ConfigurationError
from tests.audit.sites import Site

pytestmark = pytest.mark.verifies("SRS-LOG-020")

LINE = "{id} 25 0:{id} / {point} rw,relatime shared:1 - {kind} source:/x rw,hard\n"
NETWORK = ("nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "fuse.sshfs", "lustre")
LOCAL = ("ext4", "xfs", "btrfs", "zfs", "tmpfs", "fuse.fuse-overlayfs")

Mounted = Callable[..., None]


@pytest.fixture
def mounted(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Mounted:
    """Let the system say that these kinds are mounted, in this order, at these places."""
    table = tmp_path_factory.mktemp("proc") / "mountinfo"

    def mount(*pairs: tuple[Path, str]) -> None:
        lines = [
            LINE.format(id=number, point=str(point).replace(" ", "\\040"), kind=kind)
            for number, (point, kind) in enumerate(pairs, 30)
        ]
        table.write_text("".join(lines), encoding="utf-8")
        monkeypatch.setattr(mounts, "MOUNTS", table)

    return mount


@pytest.mark.parametrize("kind", NETWORK)
def test_a_log_on_a_network_file_system_is_refused(site: Site, mounted: Mounted, kind: str) -> None:
    before = site.database.read_bytes()
    (site.folder / "new").mkdir()
    mounted((Path("/"), "ext4"), (site.folder, kind))
    for use in (site.open, site.read, Site(site.folder / "new").create):
        with pytest.raises(ConfigurationError) as caught:
            use()
        assert caught.value.code == "E-STORE-NETWORK"
        assert f"({kind})" in str(caught.value)
    assert site.database.read_bytes() == before


@pytest.mark.parametrize("kind", LOCAL)
def test_a_log_on_a_local_one_is_used(site: Site, mounted: Mounted, kind: str) -> None:
    mounted((Path("/"), "nfs4"), (site.folder, kind))
    site.open().close()


def test_the_mount_in_force_decides(site: Site, mounted: Mounted) -> None:
    """The innermost one, and of two at one place the later one; a longer name beside it is another place."""
    mounted((site.folder, "nfs"), (site.folder, "ext4"), (site.folder.with_name(site.folder.name + "x"), "nfs"))
    site.open().close()
    mounted((site.folder, "ext4"), (site.folder, "nfs"))
    with pytest.raises(ConfigurationError):
        site.open()
    mounted((site.folder.parent, "nfs"), (site.folder, "ext4"))
    site.open().close()


def test_a_link_is_followed_and_a_space_is_none(tmp_path: Path, mounted: Mounted) -> None:
    far, near = tmp_path / "far away", tmp_path / "near"
    far.mkdir()
    near.symlink_to(far)
    mounted((Path("/"), "ext4"), (far, "nfs4"))
    assert mounts.network_type(near / "audit.db") == "nfs4"
    assert mounts.network_type(tmp_path / "far" / "audit.db") is None


def test_where_mounts_are_not_listed_nothing_is_refused(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "absent")
    site.open().close()
    (tmp_path / "odd").write_text("no mounts\n\n1 2 - ext4\n", encoding="utf-8")
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "odd")
    site.open().close()
