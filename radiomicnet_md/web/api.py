# SPDX-License-Identifier: Apache-2.0
"""The same for other systems, as JSON: records, their verification, artefacts and signatures; it changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, Response

from radiomicnet_md import people, shelf
from radiomicnet_md.web import case
from radiomicnet_md.web.admission import DeniedError, Here
from radiomicnet_md.web.books import Wanted
from radiomicnet_md.web.house import Opened
from radiomicnet_md.web.lines import lines, wanted
from radiomicnet_md.web.rendering import page
from radiomicnet_md_audit.export import digests

router = APIRouter()
_WORDS = {part: {"type": "string"} for part in ("code", "text", "remedy")}
_FAILURE = {
    "description": "A failure in words: its code, what it means and what to do.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {"error": {"type": "object", "properties": _WORDS, "required": sorted(_WORDS)}},
                "required": ["error"],
            }
        }
    },
}


@router.get("/api/records", summary="Decisions, filtered, sorted and paged")
def records(house: Here, asked: Annotated[Wanted, Depends(wanted)]) -> dict[str, Any]:
    """Lines of the worklist; `after` of one answer begins the next."""
    found = house.books.page(asked)
    after = None if found.after is None else f"{found.after[0]}:{found.after[1]}"
    return {
        "records": lines(house, found.indices),
        "after": after,
        "found": found.found,
        "entries_read": found.read,
        "entries": found.size,
    }


@router.get("/api/records/{record_id}", summary="One record, proven")
def record(house: Here, record_id: str) -> dict[str, Any]:
    """The in-toto statement of a record of any type, after its signature and its proof held."""
    opened = house.open(record_id)
    return {"log_index": opened.proof.index, "erased": opened.past is not None, "statement": opened.statement}


@router.get("/api/records/{record_id}/verification", summary="What was proven of a record")
def verification(house: Here, record_id: str) -> dict[str, Any]:
    """Claims in words, the digests that they are about, and the inclusion proof (C2SP tlog-proof) to check again."""
    opened = house.open(record_id)
    proof = opened.proof
    return {
        "record_id": record_id,
        "log_index": proof.index,
        "origin": proof.origin,
        "size": proof.size,
        "root": proof.root,
        "keyid": proof.keyid,
        "envelope_sha256": proof.envelope_sha256,
        "leaf_sha256": proof.leaf_sha256,
        "claims": case.claims(house, opened),
        "inclusion": house.keeper.ledger.inclusion(proof.index),
        "envelope": opened.entry.envelope.decode(),
    }


@router.get("/api/records/{record_id}/signatures", summary="Electronic signatures on a decision")
def signatures(house: Here, record_id: str) -> dict[str, Any]:
    """Each with printed name, time and meaning; every one was verified."""
    opened = house.open(record_id)
    found = people.signatures(house.keeper.ledger, opened.record_id)
    return {"record_id": record_id, "signatures": [one.document() for one in found]}


@router.get("/api/records/{record_id}/artefacts", summary="Files that a record names and this home keeps")
def artefacts(house: Here, record_id: str) -> dict[str, Any]:
    """Digests, with the parts of the record that name them."""
    opened = house.open(record_id)
    return {"record_id": record_id, "artefacts": _kept(house.keeper.home.folder, opened)}


@router.get("/api/records/{record_id}/artefacts/{digest}", summary="One of them, byte for byte")
def artefact(house: Here, record_id: str, digest: str) -> Response:
    """The bytes whose SHA-256 this is, if the record names it and they are kept and unchanged."""
    opened = house.open(record_id)
    if digest not in _kept(house.keeper.home.folder, opened):
        raise DeniedError(404, "E-WEB-NOTHING", "This record names no such file that is kept.", remedy="List them.")
    return Response(shelf.fetch(house.keeper.home.folder, digest), media_type="application/octet-stream")


def _kept(home: Path, opened: Opened) -> list[str]:
    if opened.past is not None:
        return []
    return sorted({one for one in digests(opened.predicate) if shelf.artefact(home, one).is_file()})


@router.get("/api/openapi.json", include_in_schema=False)
def openapi(request: Request) -> dict[str, Any]:
    """What the routes under /api/ take and give (OpenAPI 3.1)."""
    return _document(request)


@router.get("/api", include_in_schema=False)
def about(request: Request) -> HTMLResponse:
    """The same as a page."""
    return page(request, "api.html", document=_document(request))


def _document(request: Request) -> dict[str, Any]:
    made = get_openapi(
        title=request.app.title,
        version=request.app.version,
        description="Reads what a home's log proves. Send a token (radiomicnet-md users token) as a bearer.",
        routes=router.routes,
    )
    for path in made["paths"].values():
        for operation in path.values():
            # The framework announces an answer to a wrong value that the application gives in a form of its own.
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = _FAILURE
    made["components"] = {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}}
    made["security"] = [{"token": []}]
    return made
