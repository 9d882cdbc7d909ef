# SPDX-License-Identifier: Apache-2.0
"""Sealed under a key of the person's own: nobody without the passphrase learns who, and nothing opens elsewhere."""

from __future__ import annotations

import base64
import hmac
import json
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from radiomicnet_md import shelf, vault
from radiomicnet_md.errors import BusyError, IntegrityError
from radiomicnet_md.private import write_private
from radiomicnet_md.vault import Person, Subject
from radiomicnet_md_audit import seal
from tests import patients

SALT = bytes(range(32))
KEY = bytes(range(1, 33))
QUILL = patients.PEOPLE["quill"]
IDS = ["0" * 25 + number for number in "0123456789"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A home as far as the vault needs one."""
    made = tmp_path / "home"
    for name in ("vault", "staging", "artefacts"):
        (made / name).mkdir(parents=True)
    return made


def put(folder: Path, record_id: str, values: dict[str, str]) -> Subject:
    """Shut a record's values into the vault, by way of the shelf."""
    staged = shelf.stage(folder, record_id, b"")
    staged.keep_identity(SALT, values, KEY)
    staged.publish()
    return vault.subject_of(folder, record_id, KEY)


@pytest.mark.verifies("SRS-PRV-001")
def test_one_person_is_one_subject_by_id_and_issuer_or_by_name_and_birth_date(folder: Path) -> None:
    same = {"PatientID": "4711", "IssuerOfPatientID": "A", "PatientName": "Doe^Jane", "PatientBirthDate": "19700101"}
    people = [
        same,
        {**same, "PatientName": "Doe^Jane^^Dr."},
        {**same, "IssuerOfPatientID": "B"},
        {"PatientID": "4711"},
        {"PatientName": "Doe^Jane", "PatientBirthDate": "19700101"},
        {"PatientName": "Doe^Jane", "PatientBirthDate": "19700101", "AccessionNumber": "1"},
        {"PatientName": "Doe^Jane"},
        {"PatientName": "Doe^Jane"},
    ]
    made = [put(folder, record_id, values) for record_id, values in zip(IDS, people, strict=False)]
    assert [len({one.id for one in made[:stop]}) for stop in range(1, 9)] == [1, 1, 2, 3, 4, 4, 5, 6]
    everyone = {one.id: one for one in vault.subjects(folder, KEY)}
    assert everyone.keys() == {one.id for one in made}
    assert everyone[made[0].id].records == (IDS[0], IDS[1])
    assert everyone[made[0].id].person == Person((("PatientID", "4711"), ("IssuerOfPatientID", "A")))
    assert everyone[made[7].id].person == Person((("record", IDS[7]),))


@pytest.mark.verifies("SRS-PRV-001", "SRS-INP-008")
@pytest.mark.verifies("SRS-PRV-001", rc=("RC-028",))
def test_what_was_shut_in_opens_with_the_key_of_this_person_for_this_record_alone(folder: Path) -> None:
    one, other = put(folder, IDS[0], QUILL), put(folder, IDS[1], patients.PEOPLE["umlaut"])
    put(folder, IDS[2], QUILL)
    kept = vault.unshut(folder, one, IDS[0], KEY)
    assert kept is not None
    assert (kept.salt, kept.values) == (SALT, QUILL)
    first, second = (vault.place(folder, one.folder, record_id) for record_id in (IDS[0], IDS[2]))
    assert one.folder is not None
    assert other.folder is not None
    swaps: list[Callable[[], object]] = [
        lambda: shutil.copy(second, first),  # another record of the same person
        lambda: shutil.copy(vault.place(folder, other.folder, IDS[1]), first),  # another person's record
        lambda: shutil.copy(first.parent.with_name(other.folder or "") / "key", first.parent / "key"),  # their key
        lambda: first.write_bytes(first.read_bytes()[:-1]),
        lambda: first.write_bytes(b""),
        lambda: (first.parent / "key").write_bytes(b""),
    ]
    whole = {path: path.read_bytes() for path in first.parent.iterdir()}
    for swap in swaps:
        swap()
        with pytest.raises(IntegrityError) as caught:
            vault.unshut(folder, one, IDS[0], KEY)
        assert caught.value.code == "E-SEAL"
        for path, data in whole.items():
            path.write_bytes(data)
    for stranger in (bytes(32), KEY[::-1]):
        with pytest.raises(IntegrityError):
            vault.unshut(folder, one, IDS[0], stranger)
        with pytest.raises(IntegrityError):
            list(vault.subjects(folder, stranger))
    assert vault.unshut(folder, one, IDS[0], KEY) == kept


@pytest.mark.verifies("SRS-PRV-001")
def test_names_of_folders_tell_nothing_and_differ_from_home_to_home(folder: Path, tmp_path: Path) -> None:
    one = put(folder, IDS[0], QUILL)
    elsewhere = tmp_path / "elsewhere"
    for name in ("vault", "staging", "artefacts"):
        (elsewhere / name).mkdir(parents=True)
    names = set()
    for key in (KEY, KEY[::-1]):
        staged = shelf.stage(elsewhere, IDS[len(names)], b"")
        staged.keep_identity(SALT, QUILL, key)
        staged.publish()
        names = {path.name for path in (elsewhere / "vault" / "subjects").iterdir()}
    assert len(names) == 2
    assert one.folder in names  # the same vault key gives the same name, whatever the record
    assert not patients.found(QUILL, {path: path.encode() for path in (str(p) for p in folder.rglob("*"))})
    modes = {path.stat().st_mode & 0o077 for path in (folder / "vault").rglob("*")}
    assert modes == {0}


@pytest.mark.verifies("SRS-PRV-001")
def test_a_person_s_first_two_cases_at_once_get_one_key(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, both = vault._make, threading.Barrier(2)

    def together(*arguments: object) -> None:
        both.wait(timeout=10)
        made(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(vault, "_make", together)
    threads = [threading.Thread(target=put, args=(folder, record_id, QUILL)) for record_id in IDS[:2]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (subject,) = vault.subjects(folder, KEY)
    assert subject.records == (IDS[0], IDS[1])
    assert all(vault.unshut(folder, subject, record_id, KEY) for record_id in subject.records)
    assert not list((folder / "staging").iterdir())


@pytest.mark.verifies("SRS-PRV-001")
def test_the_vault_opens_by_what_its_description_says(folder: Path) -> None:
    """As FORMAT.md, section 13, has it, without a line of the device."""

    def unsealed(path: Path, key: bytes, context: str) -> dict[str, object]:
        sealed = path.read_bytes()
        plain: dict[str, object] = json.loads(AESGCM(key).decrypt(sealed[:12], sealed[12:], context.encode()))
        return plain

    subject = put(folder, IDS[0], QUILL)
    person = '[["PatientID","QX-7731-KAPPA"],["IssuerOfPatientID","Hospital-Zeta-Nine"]]'
    names_key = hmac.digest(KEY, b"radiomicnet-md subject names 1", "sha256")
    name = hmac.digest(names_key, person.encode(), "sha256").hex()
    place = folder / "vault" / "subjects" / name
    held = unsealed(place / "key", KEY, f"radiomicnet-md subject key 1 {name}")
    assert held == {"key": held["key"], "person": json.loads(person), "subject": subject.id}
    blob = unsealed(place / IDS[0], bytes.fromhex(str(held["key"])), IDS[0])
    assert blob == {"salt": SALT.hex(), "values": QUILL}


@pytest.mark.verifies("SRS-PRV-003")
def test_nothing_is_destroyed_while_a_case_is_put_away_nor_the_other_way_round(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault, "WAIT_S", 0.05)
    staged = shelf.stage(folder, IDS[0], b"")
    with vault.alone(folder):
        pass  # a case that is being decided is in nobody's way
    staged.keep(b"mask")
    with pytest.raises(BusyError) as caught, vault.alone(folder):
        pass
    assert caught.value.code == "E-HOME-BUSY"
    staged.discard()
    order: list[str] = []

    def case() -> None:
        staged = shelf.stage(folder, IDS[1], b"")
        staged.keep(b"mask")
        staged.discard()
        order.append("case")

    with vault.alone(folder):
        thread = threading.Thread(target=case)
        thread.start()
        thread.join(timeout=0.2)
        order.append("erasure")
    thread.join()
    assert order == ["erasure", "case"]


@pytest.mark.verifies("SRS-PRV-002")
@pytest.mark.verifies("SRS-PRV-002", rc=("RC-028",))
def test_the_key_goes_with_the_last_record_and_before_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for record_id in IDS[:3]:
        subject = put(folder, record_id, QUILL)
    wiped: list[str] = []
    wipe = vault.wipe

    def noted(path: Path) -> None:
        wiped.append(path.name)
        wipe(path)

    monkeypatch.setattr(vault, "wipe", noted)
    vault.destroy(folder, subject.folder, [IDS[1]])
    assert [record_id for one in vault.subjects(folder, KEY) for record_id in one.records] == [IDS[0], IDS[2]]
    vault.destroy(folder, subject.folder, [IDS[0], IDS[2]])
    vault.destroy(folder, subject.folder, [IDS[0], IDS[2]])  # again, as after a crash
    assert wiped == [IDS[1], "key", IDS[0], IDS[2]]
    assert list(vault.subjects(folder, KEY)) == []
    assert vault.again(folder, subject, KEY) is None
    assert put(folder, IDS[3], QUILL).id != subject.id


@pytest.mark.verifies("SRS-PRV-002")
@pytest.mark.verifies("SRS-PRV-002", rc=("RC-028",))
def test_a_destroyed_file_is_overwritten_where_it_lies(folder: Path) -> None:
    path = folder / "secret"
    path.write_bytes(b"secret" * 1000)
    os.link(path, folder / "the same blocks")
    vault.wipe(path)
    assert not path.exists()
    assert (folder / "the same blocks").read_bytes() == bytes(6000)


@pytest.mark.verifies("SRS-PRV-001")
def test_blobs_without_their_key_are_a_problem_and_no_traceback(folder: Path) -> None:
    subject = put(folder, IDS[0], QUILL)
    (vault.place(folder, subject.folder, IDS[0]).with_name("key")).unlink()
    for use in (lambda: put(folder, IDS[1], QUILL), lambda: list(vault.subjects(folder, KEY))):
        with pytest.raises(IntegrityError) as caught:
            use()
        assert caught.value.code == "E-VAULT-KEY"


@pytest.mark.verifies("SRS-PRV-008")
def test_a_salt_of_an_earlier_version_is_read_where_it_lies_and_where_it_was_staged(folder: Path) -> None:
    vault.place(folder, None, IDS[0]).write_bytes(seal.close(KEY, SALT, IDS[0].encode()))
    staged = shelf.stage(folder, IDS[1], b"")
    write_private(staged.folder / "salt", seal.close(KEY, SALT, IDS[1].encode()))
    os.close(staged.lock)
    shelf.settle(folder, lambda *_: True)
    (folder / "vault" / "key").write_bytes(b"")
    assert vault.alone_standing(folder) == [IDS[0], IDS[1]]
    for record_id in IDS[:2]:
        subject = vault.subject_of(folder, record_id, KEY)
        assert (subject.id, subject.folder) == (record_id, None)
        assert vault.unshut(folder, subject, record_id, KEY) == vault.Kept(SALT, {})
    vault.destroy(folder, None, [IDS[0]])
    assert vault.alone_standing(folder) == [IDS[1]]
    assert vault.unshut(folder, vault.itself(IDS[0]), IDS[0], KEY) is None


@pytest.mark.verifies("SRS-PRV-001", "SRS-INP-008")
@given(st.sampled_from(sorted(QUILL.values())), st.binary(max_size=9), st.binary(max_size=9), st.integers(0, 5))
def test_the_search_finds_a_value_in_each_form(value: str, before: bytes, behind: bytes, form: int) -> None:
    """The other tests are worth nothing where this one fails."""
    spelled = [value, value.upper(), value.lower()][form % 3]
    raw = before + spelled.encode(["utf-8", "utf-16-le", "utf-16-be"][form // 2]) + behind
    for data in (raw, raw.hex().encode(), raw.hex().upper().encode(), base64.b64encode(raw)):
        assert patients.found({"it": value}, {"file": b"x" + data + b"y"}) == [("it", "file")]
    assert patients.found({"it": value}, {"file": b"nothing of it"}) == []
