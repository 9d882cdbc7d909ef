# SPDX-License-Identifier: Apache-2.0
"""From an evidence bundle and a public key alone, says what is proven, or names the first thing that is not.

Rules of this file:

- It needs Python's standard library and nothing else; a copy of it lies in every bundle, but trust your own copy.
- No byte of a bundle is free: the archive has one accepted form, every file is listed, the list is signed.
- A signature proves who built a bundle, not that it is true: verdicts and the gate's answer are computed again.
- Each refusal has a code of its own. Exit codes: 0 verified, 2 usage, 4 refused.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import operator
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

MANIFEST, ENVELOPE = "00_index/MANIFEST.json", "00_index/MANIFEST.dsse.json"
FORMAT = "radiomicnet-md-evidence/1"
PAYLOAD_TYPE = "application/vnd.radiomicnet-md.evidence+json"
STAMP = "not a cleared medical device"
FOLDERS = (
    "00_index", "01_description", "02_risk", "03_srs", "04_architecture", "05_sds", "06_lifecycle", "07_vv", "08_trace",
    "09_version", "10_soup", "11_cyber", "12_ai", "13_performance", "14_part11", "15_iqoqpq", "16_labelling",
    "17_checklists", "18_tools",
)  # fmt: skip
SURROUNDINGS = ("tester", "commit", "system", "release", "machine", "processor", "python", "threads", "code_sha256")
_FIELDS = {"bytes", "path", "sha256"}
_COMPARE = {"<=": operator.le, ">=": operator.ge, "==": operator.eq, "<": operator.lt, ">": operator.gt}


class Refused(Exception):  # noqa: N818 - a refusal is what it is
    """A bundle that proves nothing; ``code`` says which check it failed."""

    def __init__(self, code: str, text: str) -> None:
        """Hold the code and what was found."""
        super().__init__(f"{code}: {text}")
        self.code = code


def _demand(holds: object, code: str, text: str) -> None:
    if not holds:
        raise Refused(code, text)


def verify(bundle: bytes, pem: bytes) -> dict[str, object]:
    """What the bundle proves under the key; raise :class:`Refused` at the first thing that does not hold."""
    files = _open(bundle)
    manifest = _manifest(files, _raw_key(pem))
    _listed(files, manifest)
    return _judged(files, manifest)


# ------------------------------------------------------------------------------------------------ the archive
def pack(files: dict[str, bytes]) -> bytes:
    """The one archive of these files: sorted, stored, dated 1980, with no comment and no extra field."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o100644 << 16
            archive.writestr(info, files[name])
    return out.getvalue()


def _open(bundle: bytes) -> dict[str, bytes]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(bundle))
        infos = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OverflowError) as error:
        raise Refused("V01", "this is no archive that can be read") from error
    names = [info.filename for info in infos]
    _demand(len(set(names)) == len(names), "V02", "a name stands twice in the archive")
    for name in names:
        _demand(re.fullmatch(r"(?!/)(?!.*(?:^|/)\.)[A-Za-z0-9_./-]+", name), "V03", f"{name!r} is no name for a file")
    _demand(all(info.compress_type == zipfile.ZIP_STORED for info in infos), "V04", "a file is compressed")
    _demand(names == sorted(names), "V05", "files are not in the order of their names")
    _demand(not archive.comment, "V06", "the archive has a comment")
    for info in infos:
        _demand(info.date_time == (1980, 1, 1, 0, 0, 0), "V07", f"{info.filename} has a date")
        _demand(info.external_attr == 0o100644 << 16, "V08", f"{info.filename} has other rights")
        _demand(not info.extra and not info.comment, "V09", f"{info.filename} has extra bytes")
    try:
        files = {name: archive.read(name) for name in names}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise Refused("V10", "a file of the archive cannot be read") from error
    _demand(pack(files) == bundle, "V11", "the archive has bytes that belong to no file")
    return files


# ------------------------------------------------------------------------------------------- list and signature
def canonical(value: object) -> bytes:
    """JSON in one form: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def _parsed(files: dict[str, bytes], name: str, missing: str, form: str) -> dict[str, Any]:
    _demand(name in files, missing, f"{name} is missing")
    try:
        value = json.loads(files[name])
    except ValueError as error:
        raise Refused(form, f"{name} is no JSON") from error
    if not isinstance(value, dict) or canonical(value) != files[name]:
        raise Refused(form, f"{name} is not in canonical form")
    return value


def _manifest(files: dict[str, bytes], key: bytes) -> dict[str, Any]:
    envelope = _parsed(files, ENVELOPE, "V20", "V21")
    form = envelope.keys() == {"payload", "payloadType", "signatures"} and isinstance(envelope["signatures"], list)
    _demand(form, "V22", "the envelope has other fields")
    _demand(len(envelope["signatures"]) == 1, "V23", "there is not exactly one signature")
    _demand(envelope["payloadType"] == PAYLOAD_TYPE, "V24", "the envelope is of another type")
    manifest = _parsed(files, MANIFEST, "V25", "V26")
    _demand(_decoded(envelope["payload"]) == files[MANIFEST], "V27", "what is signed is not MANIFEST.json")
    (signature,) = envelope["signatures"]
    _demand(signature.get("keyid") == hashlib.sha256(key).hexdigest(), "V28", "another key signed")
    head = f"DSSEv1 {len(PAYLOAD_TYPE)} {PAYLOAD_TYPE} {len(files[MANIFEST])} ".encode()
    holds = ed25519(key, head + files[MANIFEST], _decoded(signature.get("sig")))
    _demand(holds, "V29", "the signature does not hold")
    _demand(manifest.get("format") == FORMAT, "V30", "the bundle is of another format")
    return manifest


def _decoded(text: object) -> bytes:
    try:
        value = base64.b64decode(str(text), validate=True)
    except ValueError as error:
        raise Refused("V22", "a part of the envelope is no base64") from error
    _demand(base64.b64encode(value).decode() == text, "V22", "a part of the envelope has another base64 form")
    return value


def _listed(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
    rows = manifest.get("files")
    if not isinstance(rows, list) or not all(isinstance(row, dict) and row.keys() == _FIELDS for row in rows):
        raise Refused("V31", "the list of files has another form")
    names = [row["path"] for row in rows]
    _demand(names == sorted(set(names)), "V32", "the list of files is not sorted, or names one twice")
    beside = {MANIFEST, ENVELOPE}
    _demand(not beside & set(names), "V33", "the list names itself")
    absent = sorted(set(names) - files.keys())
    _demand(not absent, "V34", f"missing: {', '.join(absent)}")
    more = sorted(files.keys() - set(names) - beside)
    _demand(not more, "V35", f"not listed: {', '.join(more)}")
    for row in rows:
        content = files[row["path"]]
        _demand(len(content) == row["bytes"], "V36", f"{row['path']} has another size")
        _demand(hashlib.sha256(content).hexdigest() == row["sha256"], "V37", f"{row['path']} has another content")


# ------------------------------------------------------------------------------------------------- the content
def _judged(files: dict[str, bytes], manifest: dict[str, Any]) -> dict[str, object]:
    for folder in FOLDERS:
        _demand(any(name.startswith(f"{folder}/") for name in files), "V40", f"folder {folder} is missing")
    for name in ("00_index/INDEX.html", "00_index/GAPS.md"):
        _demand(STAMP in files.get(name, b"").decode("utf-8", "replace"), "V41", f"{name} lacks the stamp")
    head, rows = _results(files)
    _demand(head.get("run") == manifest.get("run"), "V45", "results are of another run")
    _demand(head.get("commit") == manifest.get("commit"), "V46", "results are of another commit")
    matrix = _json(files, "08_trace/matrix.json")
    counted: dict[str, int] = {}
    for row in matrix:
        counted[row["outcome"]] = counted.get(row["outcome"], 0) + 1
    _demand(counted == manifest.get("statuses"), "V52", "the matrix counts otherwise than the list")
    _statuses(rows, matrix)
    gate = _json(files, "08_trace/gate_report.json")
    _demand(gate.get("ok") == (not gate.get("findings")), "V54", "the gate's answer is not that of its findings")
    gaps = re.findall(r"^\| (?!Gap|---)", files["00_index/GAPS.md"].decode("utf-8", "replace"), re.MULTILINE)
    _demand(len(gaps) == manifest.get("gaps"), "V55", "the gaps are counted otherwise")
    released = manifest.get("release") is True
    _demand(not released or (not gaps and gate["ok"]), "V56", "a release with gaps or findings")
    return {"run": head["run"], "commit": head["commit"], "tests": len(rows), "requirements": counted,
            "findings": len(gate["findings"]), "gaps": len(gaps), "release": released, "files": len(files)}  # fmt: skip


def _json(files: dict[str, bytes], name: str) -> Any:  # noqa: ANN401 - what JSON may be
    try:
        return json.loads(files[name])
    except (KeyError, ValueError) as error:
        raise Refused("V42", f"{name} is missing or cannot be read") from error


def _results(files: dict[str, bytes]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    name = "07_vv/results.jsonl"
    try:
        head, *rows = (json.loads(line) for line in files[name].decode("utf-8").splitlines())
        names = [row["nodeid"] for row in rows]
        actual = [(row, one) for row in rows for one in row["actual"]]
        _ = [(row["expected"], row["outcome"], row["ids"]) for row in rows]
    except (KeyError, ValueError, TypeError) as error:
        raise Refused("V43", f"{name} is missing or cannot be read") from error
    for field in SURROUNDINGS:
        _demand(head.get(field), "V44", f"results do not say the {field}")
    _demand(len(rows) == head.get("tests"), "V47", "a record of a test is missing, or one too many")
    _demand(names == sorted(set(names)), "V48", "records are not in order, or one stands twice")
    for row, one in actual:
        right = row["outcome"] != "passed" or meets(one.get("value"), str(one.get("criterion")))
        _demand(right, "V49", f"{row['nodeid']} passed, and {one.get('name')} does not meet its criterion")
    for row in rows:
        _demand(row["expected"] or not row["ids"], "V50", f"{row['nodeid']} does not say what was expected")
    return head, rows


def _statuses(rows: list[dict[str, Any]], matrix: list[dict[str, Any]]) -> None:
    """A requirement is PASS only where one of its tests passed and none failed."""
    seen: dict[str, set[str]] = {}
    for row in rows:
        for id_ in row["ids"]:
            seen.setdefault(id_, set()).add(row["outcome"])
    for row in matrix:
        outcomes = seen.get(row["id"], set())
        right = row["outcome"] != "PASS" or ("passed" in outcomes and not outcomes & {"failed", "error"})
        _demand(right, "V53", f"{row['id']} is said to pass, and its tests do not say so")


def meets(value: object, criterion: str) -> bool:
    """Whether a measured value meets its criterion; one that is not finite meets none."""
    if criterion.startswith("is "):
        return str(value) == criterion[3:]
    found = re.fullmatch(r"(<=|>=|==|<|>) (-?[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?)", criterion)
    if found is None or isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return False
    return bool(_COMPARE[found[1]](value, float(found[2])))


# ------------------------------------------------------------------------------------------- Ed25519 (RFC 8032)
_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_I = pow(2, (_P - 1) // 4, _P)
_SPKI = bytes.fromhex("302a300506032b6570032100")  # RFC 8410: the bytes before the raw key


def _raw_key(pem: bytes) -> bytes:
    lines = [line for line in pem.decode("ascii", "replace").splitlines() if line and not line.startswith("-----")]
    try:
        der = base64.b64decode("".join(lines), validate=True)
    except ValueError:
        der = b""
    _demand(der.startswith(_SPKI) and len(der) == len(_SPKI) + 32, "V12", "the key is no Ed25519 public key")
    return der[len(_SPKI) :]


def ed25519(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature holds (RFC 8032, 5.1.7); false for a key or point of small order."""
    a, r = _point(key), _point(signature[:32])
    if len(signature) != 64 or a is None or r is None or _same(_times(8, a), _ZERO):  # noqa: PLR2004 - RFC 8032
        return False
    s = int.from_bytes(signature[32:], "little")
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % _L
    return s < _L and _same(_times(s, _BASE), _add(r, _times(h, a)))


def _point(raw: bytes) -> tuple[int, int, int, int] | None:
    number = int.from_bytes(raw, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if len(raw) != 32 or y >= _P:  # noqa: PLR2004 - RFC 8032
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _I % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    x = _P - x if x & 1 != sign else x
    return x, y, 1, x * y % _P


def _add(p: tuple[int, ...], q: tuple[int, ...]) -> tuple[int, int, int, int]:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % _P, (p[1] + p[0]) * (q[1] + q[0]) % _P
    c, d = 2 * p[3] * q[3] * _D % _P, 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(n: int, p: tuple[int, ...]) -> tuple[int, ...]:
    total: tuple[int, ...] = _ZERO
    while n:
        if n & 1:
            total = _add(total, p)
        p, n = _add(p, p), n >> 1
    return total


def _same(p: tuple[int, ...], q: tuple[int, ...]) -> bool:
    return (p[0] * q[2] - q[0] * p[2]) % _P == 0 and (p[1] * q[2] - q[1] * p[2]) % _P == 0


_ZERO = (0, 1, 1, 0)
_Y = 4 * pow(5, -1, _P) % _P
_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202
_BASE = (_X, _Y, 1, _X * _Y % _P)


def main(arguments: list[str]) -> int:
    """``verify.py BUNDLE PUBLIC-KEY.pem``."""
    if len(arguments) != 2:  # noqa: PLR2004 - a bundle and a key
        print("usage: verify.py BUNDLE PUBLIC-KEY.pem", file=sys.stderr)
        return 2
    try:
        print(json.dumps(verify(Path(arguments[0]).read_bytes(), Path(arguments[1]).read_bytes()), sort_keys=True))
    except Refused as refused:
        print(f"REFUSED {refused}", file=sys.stderr)
        return 4
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
