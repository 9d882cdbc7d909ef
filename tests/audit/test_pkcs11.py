# SPDX-License-Identifier: Apache-2.0
"""A key in a token signs what a key in a file would, cannot be read, and fails in words."""

from __future__ import annotations

import base64
import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pkcs11
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass, TokenFlag

from radiomicnet_md_audit import canonical, export, pkcs11_key, sign
from radiomicnet_md_audit.bundle import verify_bundle
from radiomicnet_md_audit.errors import ConfigurationError, ExitCode, IntegrityError, Problem
from radiomicnet_md_audit.keychange import Role
from radiomicnet_md_audit.pkcs11_key import Token, TokenKey
from tests.audit.sites import Site
from tests.tokens import PIN, SoftHSM, refused

pytestmark = pytest.mark.verifies("SRS-KEY-005")
LABEL = "radiomicnet-md/0123456789abcdef/engine"


@pytest.fixture
def token(softhsm: SoftHSM) -> Token:
    return softhsm.token()


@pytest.fixture
def key(token: Token) -> TokenKey:
    return pkcs11_key.generate(token, PIN, LABEL)


@pytest.fixture
def token_site(token: Token, tmp_path: Path) -> Site:
    """A log whose engine and log keys are in the token, with five records, closed."""
    engine, log = (pkcs11_key.generate(token, PIN, f"example/{name}") for name in ("engine", "log"))
    made = Site(tmp_path / "site", engine, log, sign.generate_cosigner())
    made.folder.mkdir()
    with made.create() as ledger:
        made.append(ledger, 5)
    return made


def test_a_signature_holds_for_others_and_is_the_one_of_rfc_8032(
    key: TokenKey, tmp_path: Path, require: Callable[[str], Path]
) -> None:
    message = b"what was decided" * 4000
    signature = key.sign(message)
    Ed25519PublicKey.from_public_bytes(key.public.raw).verify(signature, message)
    assert key.sign(message) == signature  # pure Ed25519 has one signature for each message
    for name, data in (("pub", key.public.to_pem()), ("sig", signature), ("message", message)):
        (tmp_path / name).write_bytes(data)
    openssl = [str(require("openssl")), "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", str(tmp_path / "pub")]
    command = [*openssl, "-sigfile", str(tmp_path / "sig"), "-in", str(tmp_path / "message")]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    (tmp_path / "message").write_bytes(message[:-1])
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1


def test_the_file_finds_the_key_again_and_holds_nothing_secret(softhsm: SoftHSM, key: TokenKey) -> None:
    place = json.loads(key.file)
    assert place == {
        "id": place["id"],
        "label": LABEL,
        "module": softhsm.module,
        "public_key": key.public.raw.hex(),
        "token": "radiomicnet",
    }
    softhsm.start_again()
    again = pkcs11_key.open_(key.file, PIN)
    assert again.public == key.public
    key.public.verify(again.sign(b"message"), b"message")
    assert pkcs11_key.open_(key.file + b"\n", PIN).public == key.public  # as an editor leaves it


def test_two_keys_of_one_label_are_told_apart(token: Token, key: TokenKey) -> None:
    other = pkcs11_key.generate(token, PIN, LABEL)
    assert other.public != key.public
    assert pkcs11_key.open_(key.file, PIN).public == key.public


def test_the_private_value_cannot_be_read_by_who_has_the_pin(key: TokenKey) -> None:
    private = key._private
    for attribute in (Attribute.SENSITIVE, Attribute.ALWAYS_SENSITIVE, Attribute.NEVER_EXTRACTABLE, Attribute.LOCAL):
        assert private[attribute] is True
    assert private[Attribute.EXTRACTABLE] is False
    with pytest.raises(pkcs11.AttributeSensitive):
        private[Attribute.VALUE]


@pytest.mark.parametrize(("sensitive", "extractable"), [(False, True), (False, False), (True, True)])
def test_a_key_that_could_be_read_is_not_used(token: Token, *, sensitive: bool, extractable: bool) -> None:
    login = pkcs11_key._login(token, PIN)
    with login.writing() as session:
        curve = session.create_domain_parameters(
            KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: pkcs11_key._CURVE[0]}, local=True
        )
        loose = {Attribute.SENSITIVE: sensitive, Attribute.EXTRACTABLE: extractable}
        public, private = curve.generate_keypair(id=b"loose", label="loose", store=True, private_template=loose)
        assert (private[Attribute.SENSITIVE], private[Attribute.EXTRACTABLE]) == (sensitive, extractable)
        raw = pkcs11_key._raw(public[Attribute.EC_POINT])
    place = {"id": b"loose".hex(), "label": "loose", "module": token.module, "token": token.label}
    refused("E-TOKEN-KEY-LOOSE", pkcs11_key.open_, canonical.dumps({**place, "public_key": raw.hex()}), PIN)


def test_a_log_of_token_keys_has_the_formats_of_a_log_of_file_keys(
    token_site: Site, tmp_path: Path, softhsm: SoftHSM
) -> None:
    with token_site.open() as ledger:
        export.write(ledger, tmp_path / "export", token_site.policy)
    softhsm.remove(Token(softhsm.module, "radiomicnet"))  # who verifies has no token
    assert token_site.verify().ok
    assert verify_bundle(tmp_path / "export", token_site.policy, token_site.anchor.read_bytes()).ok
    (tmp_path / "policy.json").write_bytes(token_site.policy.to_json())
    tool = (
        "import sys; sys.modules['pkcs11'] = None; import radiomicnet_md_audit.__main__ as door; sys.exit(door.main())"
    )
    command = [sys.executable, "-c", tool, "verify", str(tmp_path / "export")]
    run = subprocess.run([*command, "--policy", str(tmp_path / "policy.json")], capture_output=True, check=False)
    assert run.returncode == ExitCode.OK, run.stderr
    plain = Site(tmp_path / "plain", cosigner=sign.generate_cosigner())
    plain.folder.mkdir()
    with plain.create() as ledger:
        plain.append(ledger, 5)
        export.write(ledger, tmp_path / "of files", plain.policy)
    assert _forms(tmp_path / "export") == _forms(tmp_path / "of files")


def _forms(folder: Path) -> list[object]:
    """Entries and checkpoints by their names, kinds of values and lengths of signatures."""
    forms: list[object] = []
    for line in (folder / "entries.jsonl").read_bytes().splitlines():
        envelope = json.loads(line)
        payload, (signature,) = json.loads(base64.b64decode(envelope.pop("payload"))), envelope.pop("signatures")
        forms += [envelope, _form(payload), {name: len(value) for name, value in signature.items()}]
    for line in (folder / "checkpoints.jsonl").read_bytes().splitlines():
        forms.append([len(word) for word in json.loads(line).split()])
    return forms


def _form(value: object) -> object:
    if isinstance(value, dict):
        return {name: _form(inner) for name, inner in value.items()}
    return [_form(inner) for inner in value] if isinstance(value, list) else type(value)


def test_each_wrong_pin_is_refused_in_words_and_the_right_one_still_opens(softhsm: SoftHSM, key: TokenKey) -> None:
    for wrong in (b"1234", b"4711-4712", b"", b"\xff\xfe", b"9" * 300):
        softhsm.start_again()
        problem = refused("E-KEY-PIN", pkcs11_key.open_, key.file, wrong)
        assert isinstance(problem, ConfigurationError)
        assert problem.exit_code == ExitCode.CONFIGURATION
    assert "since the last right one" in str(problem)
    softhsm.start_again()
    assert pkcs11_key.open_(key.file, PIN).public == key.public


def test_where_somebody_is_logged_in_a_wrong_pin_costs_no_try(key: TokenKey) -> None:
    refused("E-KEY-PIN", pkcs11_key.open_, key.file, b"1234")
    assert not key._login.session.token.slot.get_token().flags & TokenFlag.USER_PIN_COUNT_LOW
    key.sign(b"the login is as it was")


class Defective:
    """What stands in a token's place for its key, and signs with something else."""

    def __init__(self, *signatures: bytes) -> None:
        self.signatures = itertools.cycle(signatures)

    def sign(self, data: bytes, mechanism: Mechanism) -> bytes:
        del data, mechanism
        return next(self.signatures)


def test_a_signature_that_does_not_hold_is_used_by_nobody(token_site: Site) -> None:
    engine: Any = token_site.engine
    others = sign.from_seed(bytes(32)).sign(b"DSSEv1 ")
    with token_site.open() as ledger:
        size, before = ledger.size, token_site.anchor.read_bytes()
        for garbage in (bytes(64), others, others[:63], b"", engine.sign(b"another message")):
            for key in (ledger.writer.engine_key, ledger.writer.log_keys.signer):
                private, key._private = key._private, Defective(garbage)  # type: ignore[attr-defined]
                problem = refused("E-TOKEN-SIGNATURE", ledger.append, token_site.draft())
                assert isinstance(problem, IntegrityError)
                key._private = private  # type: ignore[attr-defined]
        assert ledger.size == size
        assert token_site.anchor.read_bytes() == before
        token_site.append(ledger)
    assert token_site.verify().ok


def test_another_key_of_the_same_name_and_id_is_noticed_before_it_signs_anything(key: TokenKey) -> None:
    place = {**json.loads(key.file), "public_key": sign.from_seed(bytes(32)).public.raw.hex()}
    refused("E-TOKEN-SIGNATURE", pkcs11_key.open_, canonical.dumps(place), PIN)


@pytest.mark.verifies("SRS-KEY-003")
def test_a_key_in_a_file_is_replaced_by_one_in_a_token_and_that_by_another(site: Site, token: Token) -> None:
    with site.open() as ledger:
        for role in (Role.ENGINE, Role.LOG, Role.ENGINE):
            ledger.change_key(role, pkcs11_key.generate(token, PIN, "example/new"))
            site.append(ledger)
        site.changed = ledger.declared
    report = site.verify()
    assert report.ok
    assert report.size == 12


def test_a_token_that_goes_away_leaves_a_log_that_holds(token_site: Site, token: Token, softhsm: SoftHSM) -> None:
    with token_site.open() as ledger:
        softhsm.remove(token)
        for _ in range(2):
            refused("E-TOKEN-LOST", ledger.append, token_site.draft())
    report = token_site.verify()
    assert report.ok
    assert report.size == 6
    engine: Any = token_site.engine
    softhsm.start_again()
    refused("E-TOKEN-ABSENT", pkcs11_key.open_, engine.file, PIN)
    softhsm.token()  # a token of the same name, but not that one
    refused("E-TOKEN-KEY", pkcs11_key.open_, engine.file, PIN)


def test_a_login_that_ended_is_made_anew_by_the_next_who_opens_a_key(key: TokenKey) -> None:
    key._login.session.close()  # what a restart of a network HSM looks like from here
    refused("E-TOKEN-LOST", key.sign, b"message")
    again = pkcs11_key.open_(key.file, PIN)
    refused("E-TOKEN-LOST", key.sign, b"message")
    assert len(again.sign(b"message")) == 64


def test_a_forked_process_is_refused_and_its_parent_goes_on(key: TokenKey) -> None:
    for use in (lambda: key.sign(b"message"), lambda: pkcs11_key.open_(key.file, PIN)):
        readable, writable = os.pipe()
        child = os.fork()
        if child == 0:  # nothing in here may reach pytest
            try:
                use()
            except Problem as problem:
                os.write(writable, problem.code.encode())
            finally:
                os._exit(0)
        os.close(writable)
        os.waitpid(child, 0)
        with os.fdopen(readable, "rb") as said:
            assert said.read() == b"E-TOKEN-FORK"
    assert len(key.sign(b"message")) == 64


WRITER = """\
import sys
from pathlib import Path
from radiomicnet_md_audit import pkcs11_key
from radiomicnet_md_audit.ledger import Ledger
from tests.audit.sites import Site
engine, log = (pkcs11_key.open_(bytes.fromhex(place), sys.argv[4].encode()) for place in sys.argv[2:4])
site = Site(Path(sys.argv[1]), engine, log, count=int(sys.argv[5]))
with site.open() as ledger:
    site.append(ledger, 10)
"""


def test_two_processes_use_one_token_at_once(token: Token, tmp_path: Path) -> None:
    engine, log = (pkcs11_key.generate(token, PIN, f"example/{name}") for name in ("engine", "log"))
    site = Site(tmp_path / "site", engine, log)
    site.folder.mkdir()
    site.create().close()
    places = [engine.file.hex(), log.file.hex()]
    said = [str(site.folder), *places, PIN.decode()]

    def writes(start: int) -> int:
        # SoftHSM reads its token while another process writes it, and may then see none; who meets that starts again.
        for _ in range(5):
            done = subprocess.run(
                [sys.executable, "-c", WRITER, *said, str(start)], stderr=subprocess.PIPE, check=False
            )
            if b"No token is called" not in done.stderr:
                break
        return done.returncode

    with ThreadPoolExecutor(2) as both:
        assert list(both.map(writes, (100, 200))) == [0, 0]
    report = site.verify()
    assert report.ok
    assert report.size == 21


def test_threads_take_turns(key: TokenKey) -> None:
    wrong: list[Exception] = []

    def many(number: int) -> None:
        try:
            for count in range(50):
                key.sign(b"%d %d" % (number, count))
        except Exception as error:  # noqa: BLE001 -- whatever happens in a thread is for the assertion
            wrong.append(error)

    threads = [threading.Thread(target=many, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_what_is_not_there_is_named(softhsm: SoftHSM, token: Token, key: TokenKey, tmp_path: Path) -> None:
    place = json.loads(key.file)

    def opened(name: str = "id", value: str = place["id"]) -> None:
        pkcs11_key.open_(canonical.dumps({**place, name: value}), PIN)

    (tmp_path / "no module").write_text("no library")
    libc = next(line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "libc" in line)
    for module in ("/nowhere/libtoken.so", str(tmp_path / "no module"), libc):
        refused("E-TOKEN-MODULE", opened, "module", module)
    refused("E-TOKEN-ABSENT", opened, "token", "another")
    refused("E-TOKEN-KEY", opened, "label", LABEL + "2")
    refused("E-TOKEN-KEY", opened, "id", "00" * 16)
    softhsm.token()
    refused("E-TOKEN-AMBIGUOUS", opened)


@pytest.mark.parametrize(
    "other", [{"id": "xyz"}, {"id": 3}, {"public_key": None}, {"module": 1}, {"token": None}, {"label": ["a"]}]
)
def test_a_damaged_file_is_a_problem_of_the_file(key: TokenKey, other: dict[str, object]) -> None:
    refused("E-KEY-FORM", pkcs11_key.open_, canonical.dumps({**json.loads(key.file), **other}), PIN)
    for name in json.loads(key.file):
        less = {other: value for other, value in json.loads(key.file).items() if other != name}
        refused("E-KEY-FORM", pkcs11_key.open_, json.dumps(less).encode(), PIN)


def test_a_token_keeps_a_secret_for_who_has_the_pin_and_outlives_a_new_pin(softhsm: SoftHSM, token: Token) -> None:
    place = pkcs11_key.keep(token, PIN, "example/passphrase", b"correct horse")
    assert json.loads(place) == {"label": "example/passphrase", "module": token.module, "token": token.label}
    assert pkcs11_key.token_of(place) == token
    softhsm.start_again()
    public = pkcs11.lib(softhsm.module).get_token(token_label=token.label).open()
    assert list(public.get_objects({Attribute.CLASS: ObjectClass.DATA})) == []
    public.close()
    softhsm.change_pin(token, b"another-pin")
    refused("E-KEY-PIN", pkcs11_key.fetch, place, PIN)
    assert pkcs11_key.fetch(place, b"another-pin") == b"correct horse"
    pkcs11_key.discard(token, b"another-pin", "example/passphrase")
    refused("E-TOKEN-KEY", pkcs11_key.fetch, place, b"another-pin")
