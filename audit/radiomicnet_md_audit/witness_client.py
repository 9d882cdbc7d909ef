# SPDX-License-Identifier: Apache-2.0
"""Asks a witness to cosign a log's newest checkpoint, and believes nothing but its signature.

Source: c2sp.org/tlog-witness. Rules of this module:

- No more than 64 KiB of an answer are read, over one connection to the address that was named (``post``).
- A witness that knows more of the log than the log itself, or another root, is evidence that the log was set back or
  rewritten: an :class:`IntegrityError`. A witness that cannot be reached is a :class:`BusyError`: ask again later.
- The cosignature is verified before it is returned. Lines by other keys are dropped.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import NoReturn

from radiomicnet_md_audit import note as notes
from radiomicnet_md_audit import post, proof
from radiomicnet_md_audit.checkpoint import Checkpoint, parse_unverified
from radiomicnet_md_audit.cosignature import Cosigner, cosigned_at, with_line
from radiomicnet_md_audit.errors import BusyError, ConfigurationError, IntegrityError
from radiomicnet_md_audit.witness import PATH, SIZE, TEXT

LARGEST_ANSWER = 64 * 1024

_TRIES = 3  # the size is asked for, told, and may move once more
_SIZE = re.compile(r"(0|[1-9][0-9]{0,18})\n")


@dataclass(frozen=True)
class Remote:
    """A witness as its user knows it: submission prefix, public key, seconds for a read and for an exchange."""

    url: str
    cosigner: Cosigner
    seconds: float = post.SECONDS


@dataclass(frozen=True)
class _Reply:
    status: int
    content_type: str
    body: str


def cosigned(remote: Remote, prove: Callable[[int], str], last_size: int = 0) -> str:
    """Return the log's newest checkpoint note with the witness's line at its end.

    ``prove(n)`` is :meth:`Ledger.consistency`: the page of old size, hashes and newest checkpoint. ``last_size`` saves
    a round trip where the size of the last cosigned checkpoint is known. Raises :class:`IntegrityError` ``E-WITNESS-…``
    when the witness contradicts the log or its answer does not verify, :class:`ConfigurationError` when it does not
    know this log or its key, :class:`BusyError` when it gives no usable answer.
    """
    old_size = last_size
    for _ in range(_TRIES):
        body = prove(old_size)
        note = proof.parse_consistency(body).note
        head, _ = parse_unverified(note)
        reply = _post(remote, body.encode())
        if reply.status == HTTPStatus.OK:
            return _accepted(note, reply, remote.cosigner)
        if reply.status != HTTPStatus.CONFLICT:
            _refused(reply.status)
        old_size = _known_size(reply, head, old_size)
    raise _unusable("kept naming another size than it had named before")


def _accepted(note: str, reply: _Reply, cosigner: Cosigner) -> str:
    """Move the witness's own line into the note, and verify it there."""
    try:
        lines = notes.parse(f"-\n\n{reply.body}").signatures
    except IntegrityError:
        raise _unusable("answered with something else than signature lines") from None
    own = [line for line in lines if (line.name, line.id) == (cosigner.name, cosigner.id)]
    if not own:
        raise IntegrityError(
            "E-WITNESS-KEY",
            "The witness answered without a cosignature by the key expected of it.",
            remedy="Check that address and key are those of one witness; its operator can print the key.",
        )
    signed = with_line(note, own[0])
    cosigned_at(signed, cosigner)
    return signed


def _known_size(reply: _Reply, head: Checkpoint, asked: int) -> int:
    """Return the size that the witness last cosigned, when the log can go on from there."""
    match = _SIZE.fullmatch(reply.body)
    if match is None or reply.content_type != SIZE:
        raise _unusable("named no size in its conflict")
    known = int(match[1])
    if known > head.size:
        raise IntegrityError(
            "E-WITNESS-LEADS",
            f"The witness has cosigned {known} entries of this log, which has {head.size}: the log was set back.",
            remedy="Restore the newest backup of the log; do not write to it until the missing entries are back.",
        )
    if known == asked == head.size:
        raise _differs()
    return known


def _refused(status: int) -> NoReturn:
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        raise _differs()
    if status == HTTPStatus.NOT_FOUND:
        raise ConfigurationError(
            "E-WITNESS-ORIGIN",
            "The witness does not know this log.",
            remedy="Check the address, and give the log's verifier key to the witness's operator.",
        )
    if status == HTTPStatus.FORBIDDEN:
        raise ConfigurationError(
            "E-WITNESS-LOG-KEY",
            "The witness does not trust the key that signs this log's checkpoints.",
            remedy="If the log's key was changed on purpose, give the new verifier key to the witness's operator.",
        )
    raise _unusable(f"answered with status {status}")


def _post(remote: Remote, body: bytes) -> _Reply:
    """Send one submission over a connection of its own."""
    try:
        url = remote.url.rstrip("/") + PATH
        reply = post.post(url, body, TEXT, most=LARGEST_ANSWER, seconds=remote.seconds)
        return _Reply(reply.status, reply.content_type, reply.body.decode("utf-8"))
    except UnicodeDecodeError:
        raise _unusable("did not answer with text") from None
    except ValueError:
        raise ConfigurationError(
            "E-WITNESS-URL",
            "A witness's address is not of the form https://HOST[:PORT][/PREFIX].",
            remedy="Give the submission prefix, as the witness's operator names it.",
        ) from None
    except OSError:
        raise _unusable("cannot be reached or did not answer in time") from None


def _differs() -> IntegrityError:
    return IntegrityError(
        "E-WITNESS-DIFFERS",
        "The witness cosigned another history of this log: the log was rewritten or forked since.",
        remedy="Keep the log as it is, ask the witness's operator for its last checkpoint, and compare with exports.",
    )


def _unusable(what: str) -> BusyError:
    return BusyError(
        "E-WITNESS-UNREACHABLE",
        f"The witness {what}.",
        remedy="Try again later; if it stays so, ask the witness's operator. The log itself is not affected.",
    )
