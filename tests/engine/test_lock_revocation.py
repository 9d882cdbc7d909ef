# SPDX-License-Identifier: Apache-2.0
"""A revoked release is opened nowhere, and a list that cannot be trusted frees none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radiomicnet_md.engine import release as releases
from radiomicnet_md.engine import revocation
from radiomicnet_md.errors import ExitCode, IntegrityError
from radiomicnet_md_audit import canonical, dsse, sign

pytestmark = pytest.mark.verifies("SRS-REL-007")
KEY = sign.from_seed(b"release key of the tests, public")
OTHER = sign.from_seed(b"another key, which is not pinned")
KEYS = {KEY.public.keyid: KEY.public}
HEADER = {"id": "fake", "version": "1.2.3", "created": "2026-01-01"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    releases.write(tmp_path / "1.2.3", {"tables.json": b"{}"}, HEADER, KEY)
    return tmp_path / "1.2.3"


def entry(digest: str) -> revocation.Entry:
    return revocation.Entry(digest, "fake", "1.2.3", "2026-02-03", "misses small lesions")


def refused(folder: Path, code: str, *more: Path) -> IntegrityError:
    with pytest.raises(IntegrityError) as caught:
        releases.open_release(folder, keys=KEYS, revoked=more)
    assert (caught.value.code, caught.value.exit_code) == (code, ExitCode.INTEGRITY)
    assert caught.value.remedy
    return caught.value


@pytest.mark.verifies("SRS-REL-007", rc=("RC-007",))
def test_a_revoked_release_is_refused_wherever_the_list_lies(folder: Path, tmp_path: Path) -> None:
    digest = releases.open_release(folder, keys=KEYS).manifest_sha256
    listed = revocation.extended((entry("0" * 64),), entry(digest), KEY)
    for path in (folder.parent / "revoked.json", tmp_path / "elsewhere.json"):
        path.write_bytes(listed)
        problem = refused(folder, "E-RELEASE-REVOKED", path)
        assert "misses small lesions" in str(problem)
        path.unlink()
    releases.open_release(folder, keys=KEYS, revoked=(tmp_path / "elsewhere.json",))


def test_the_list_of_the_package_counts_for_every_release(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = releases.open_release(folder, keys=KEYS).manifest_sha256
    monkeypatch.setattr(releases, "RELEASES", tmp_path / "package")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / revocation.NAME).write_bytes(revocation.extended((), entry(digest), KEY))
    refused(folder, "E-RELEASE-REVOKED")


def test_a_list_that_names_others_frees_this_one_and_keeps_what_it_held(folder: Path) -> None:
    first = revocation.extended((), entry("0" * 64), KEY)
    (folder.parent / "revoked.json").write_bytes(first)
    releases.open_release(folder, keys=KEYS)
    held = revocation.read(folder.parent / "revoked.json", KEYS)
    (folder.parent / "revoked.json").write_bytes(revocation.extended(held, entry("1" * 64), KEY))
    assert [one.manifest_sha256 for one in revocation.read(folder.parent / "revoked.json", KEYS)] == [
        "0" * 64,
        "1" * 64,
    ]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changed_byte_of_a_list_is_refused(folder: Path, data: st.DataObject) -> None:
    was = revocation.extended((), entry("0" * 64), KEY)
    at = data.draw(st.integers(0, len(was) - 1))
    changed = bytearray(was)
    changed[at] ^= data.draw(st.integers(1, 255))
    (folder.parent / "revoked.json").write_bytes(changed)
    with pytest.raises(IntegrityError):
        releases.open_release(folder, keys=KEYS)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (revocation.extended((), entry("0" * 64), OTHER), "E-KEY-UNKNOWN"),
        (dsse.seal(canonical.dumps({"revoked": []}), releases.PAYLOAD_TYPE, KEY), "E-ENVELOPE-TYPE"),
        (dsse.seal(canonical.dumps({"released": []}), revocation.PAYLOAD_TYPE, KEY), "E-REVOKED-LIST"),
        (dsse.seal(canonical.dumps({"revoked": [{"id": "x"}]}), revocation.PAYLOAD_TYPE, KEY), "E-REVOKED-LIST"),
        (revocation.extended((), entry("not a digest"), KEY), "E-REVOKED-LIST"),
    ],
    ids=["key", "type", "no list", "parts", "digest"],
)
def test_a_list_of_another_kind_is_refused(folder: Path, content: bytes, code: str) -> None:
    (folder.parent / "revoked.json").write_bytes(content)
    refused(folder, code)


@pytest.mark.verifies("SRS-REL-007", rc=("RC-007",))
def test_a_link_or_folder_in_the_place_of_a_list_is_refused(folder: Path, tmp_path: Path) -> None:
    place = folder.parent / "revoked.json"
    (tmp_path / "real.json").write_bytes(revocation.extended((), entry("0" * 64), KEY))
    place.symlink_to(tmp_path / "real.json")
    refused(folder, "E-REVOKED-LIST")
    place.unlink()
    place.mkdir()
    refused(folder, "E-REVOKED-LIST")


@pytest.mark.verifies("SRS-REL-007", rc=("RC-007",))
def test_no_more_of_a_list_is_read_than_its_bound(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of just that size is read whole; of a longer one enough is read for its signature not to hold."""
    place, listed = folder.parent / "revoked.json", revocation.extended((), entry("0" * 64), KEY)
    place.write_bytes(listed)
    monkeypatch.setattr(revocation, "LARGEST", len(listed) - 1)
    assert len(revocation.read(place, KEYS)) == 1
    monkeypatch.setattr(revocation, "LARGEST", len(listed) - 2)
    with pytest.raises(IntegrityError):
        revocation.read(place, KEYS)
