# SPDX-License-Identifier: Apache-2.0
"""People, what they may do, and their signatures: the log says it, and a person's passphrase alone opens their key.

What the page and the command line need is here; how a record looks is in ``audit/FORMAT.md``, sections 14 to 16.
"""

from radiomicnet_md.people.changing import add, disable, enable, set_passphrase, set_roles, unlock
from radiomicnet_md.people.entering import Identity, SignInError, enter
from radiomicnet_md.people.place import Place
from radiomicnet_md.people.reading import roster, signatures
from radiomicnet_md.people.signing import SigningError, sign
from radiomicnet_md.people.viewed import picture, viewed
from radiomicnet_md_audit.esignature import MEANINGS, NEED_REASON, Signature
from radiomicnet_md_audit.persons import MOST_FAILURES, Person
from radiomicnet_md_audit.roles import ACTIONS, ROLES, may

__all__ = [
    "ACTIONS",
    "MEANINGS",
    "MOST_FAILURES",
    "NEED_REASON",
    "ROLES",
    "Identity",
    "Person",
    "Place",
    "SignInError",
    "Signature",
    "SigningError",
    "add",
    "disable",
    "enable",
    "enter",
    "may",
    "picture",
    "roster",
    "set_passphrase",
    "set_roles",
    "sign",
    "signatures",
    "unlock",
    "viewed",
]
