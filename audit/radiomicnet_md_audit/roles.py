# SPDX-License-Identifier: Apache-2.0
"""What a person may do is one table; the page, the command line and the verifier read no other.

Rules of this module:

- A person has one or more roles, and may do what any of them may. Who administers people does not sign by that.
- ``sign`` and ``qualify`` (to sign a qualification) are checked by everybody who verifies the log, and so is ``users``
  (who may change other people); the rest is kept by the device.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

ACTIONS: Final = ("read", "sign", "replay", "report", "hold", "qualify", "users", "keys")
_MAY: Final = {
    "reader": {"read"},
    "reviewer": {"read", "sign", "replay"},
    "qa": {"read", "sign", "replay", "report", "hold", "qualify"},
    "admin": {"users", "keys"},
}
ROLES: Final = tuple(_MAY)


def may(roles: Iterable[str], action: str) -> bool:
    """Say whether a person of these roles may do this; an unknown role may nothing.

    Raises ``ValueError`` for an action that the table does not have: a misspelt one must not read as "forbidden".
    """
    if action not in ACTIONS:
        message = f"there is no action {action!r}"
        raise ValueError(message)
    return any(action in _MAY.get(role, ()) for role in roles)
