# SPDX-License-Identifier: Apache-2.0
"""Every route of the page and what a person must be allowed to do for it, in one table; no other route answers.

Rules of this module:

- An action is one of ``people.ACTIONS``, and who may do it stands in the table of roles that the log's verifier reads.
- ``OPEN`` needs nobody: what it shows says nothing of a record. ``SIGNED_IN`` needs a person, with whatever role.
- A token opens the routes under ``/api/`` and nothing else; a session opens every route of its person.
"""

from __future__ import annotations

from typing import Final

OPEN, SIGNED_IN = "", "signed in"
API: Final = "/api/"

ROUTES: Final = {
    ("GET", "/sign-in"): OPEN,
    ("POST", "/sign-in"): OPEN,
    ("GET", "/static/{name}"): OPEN,
    ("POST", "/sign-out"): SIGNED_IN,
    ("GET", "/passphrase"): SIGNED_IN,
    ("POST", "/passphrase"): SIGNED_IN,
    ("GET", "/people"): "users",
    ("POST", "/people"): "users",
    ("GET", "/"): "read",
    ("GET", "/log"): "read",
    ("POST", "/log/verify"): "read",
    ("GET", "/compare"): "read",
    ("GET", "/compare/{one}/{other}/difference.png"): "read",
    ("GET", "/records/{record_id}"): "read",
    ("GET", "/records/{record_id}/print"): "read",
    ("GET", "/records/{record_id}/print.pdf"): "read",
    ("GET", "/records/{record_id}/record.txt"): "read",
    ("GET", "/records/{record_id}/layers/{name}.png"): "read",
    ("GET", "/records/{record_id}/pixels/{row}/{column}"): "read",
    ("POST", "/records/{record_id}/displayed"): "read",
    ("POST", "/records/{record_id}/replay"): "replay",
    ("POST", "/records/{record_id}/sign"): "sign",
    ("GET", "/api"): "read",
    ("GET", "/api/openapi.json"): "read",
    ("GET", "/api/records"): "read",
    ("GET", "/api/records/{record_id}"): "read",
    ("GET", "/api/records/{record_id}/verification"): "read",
    ("GET", "/api/records/{record_id}/signatures"): "read",
    ("GET", "/api/records/{record_id}/artefacts"): "read",
    ("GET", "/api/records/{record_id}/artefacts/{digest}"): "read",
}
