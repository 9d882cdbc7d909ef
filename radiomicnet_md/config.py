# SPDX-License-Identifier: Apache-2.0
"""Where things lie on this machine, and nothing about how a case is decided.

Rules of this module:

- A setting that is not known is refused, so that a misspelt one cannot be silently ignored.
- Command line > ``RADIOMICNET_MD_*`` > ``/etc/radiomicnet-md/config.yaml`` > the user's XDG file.
- No secret is a setting: secrets come from a file named in the environment (see ``home``).
- No clinical parameter is a setting: those are in the signed release.
- The digest over the settings in force stands in every record.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from radiomicnet_md.errors import ConfigurationError
from radiomicnet_md_audit import canonical

SYSTEM_FILE = Path("/etc/radiomicnet-md/config.yaml")
ENVIRONMENT = "RADIOMICNET_MD_"
IN_FILES_ALONE = ("cluster", "destinations")


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


Place = Annotated[Path, AfterValidator(_absolute)]
AE_TITLE = re.compile(r"^[A-Za-z0-9._-]{1,16}$", re.ASCII)  # PS3.5, 6.2, AE, without what needs quoting


def _encrypted(address: str) -> str:
    """An address of DICOMweb: images of people travel in the clear on this machine alone."""
    parts = urlsplit(address)
    local = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
    if not (local or parts.scheme == "https") or not parts.hostname or parts.query or parts.fragment:
        message = "not an https address (http is for this machine alone)"
        raise ValueError(message)
    return address.rstrip("/")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tls(_Part):
    """Files (PEM) for TLS: our certificate with its chain, its key, and who may have signed the other side's."""

    certificate_file: Place
    key_file: Place
    ca_file: Place


class Node(_Part):
    """An archive that speaks DIMSE."""

    ae: str = Field(pattern=AE_TITLE.pattern)
    host: str = Field(min_length=1)
    port: int = Field(ge=1, le=0xFFFF)
    tls: Tls | None = None  # None: in the clear


class Web(_Part):
    """An archive that speaks DICOMweb."""

    url: Annotated[str, AfterValidator(_encrypted)]
    authorization_file: Place | None = None  # its first line is sent as the header Authorization
    ca_file: Place | None = None  # certificates (PEM) of who may have signed the archive's; None: those of the system


class Settings(BaseModel):
    """The settings in force."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    home: Place
    audit_db: str | None = None  # SQLAlchemy URL; None: audit.db in the home
    release: Place | None = None  # None: the newest release that ships with the installation
    release_keys: tuple[Place, ...] = ()  # public keys (PEM) trusted beside the pinned one
    operator: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._:-]{1,64}$")  # service account; None: uid:N

    cluster: Tls | None = None  # how schedulers and workers on other hosts are spoken to; None: on this machine alone
    destinations: Mapping[Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")], Node | Web] = Field(
        default_factory=dict
    )  # archives to send to and fetch from, by our names for them

    @property
    def account(self) -> str:
        """The account that records name."""
        return self.operator or f"uid:{os.geteuid()}"

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical JSON of all settings."""
        return hashlib.sha256(canonical.dumps(self.model_dump(mode="json"))).hexdigest()


def load(given: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the command line's values (None: not given), the environment and the two files.

    Raises :class:`ConfigurationError` naming the setting that is unknown or wrong.
    """
    values: dict[str, Any] = {"home": xdg(environ, "XDG_DATA_HOME", ".local/share")}
    user = xdg(environ, "XDG_CONFIG_HOME", ".config") / "config.yaml"
    on_command_line = {name: value for name, value in given.items() if value is not None}
    settings = _checked(values)
    for layer in (_from_file(user), _from_file(SYSTEM_FILE), _from_environment(environ), on_command_line):
        values |= layer
        settings = _checked(values)  # after each: what a stronger layer hides must be right all the same
    return settings


def _checked(values: Mapping[str, Any]) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(
            "E-CONFIG",
            f"Setting {name!r}: {first['msg']}.",
            remedy=f"The settings are: {', '.join(Settings.model_fields)}. Correct or remove this one.",
        ) from None


def xdg(environ: Mapping[str, str], variable: str, otherwise: str) -> Path:
    """The project's folder in a folder of the XDG base directory specification."""
    base = environ.get(variable) or str(Path(environ.get("HOME", "~")).expanduser() / otherwise)
    return Path(base) / "radiomicnet-md"


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Settings given as ``RADIOMICNET_MD_<NAME>``; several release keys are separated by ``:``."""
    found: dict[str, Any] = {}
    for name in Settings.model_fields:
        value = None if name in IN_FILES_ALONE else environ.get(ENVIRONMENT + name.upper())
        if value:
            found[name] = value.split(os.pathsep) if name == "release_keys" else value
    return found


def _from_file(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, yaml.YAMLError) as error:
        fact = error.strerror if isinstance(error, OSError) else "it is not YAML"
        raise ConfigurationError(
            "E-CONFIG-FILE",
            f"The configuration file {path.name} cannot be read: {fact}.",
            remedy=f"Correct or remove {path}.",
        ) from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigurationError(
            "E-CONFIG-FILE",
            f"The configuration file {path.name} is not a list of settings.",
            remedy=f"Write one 'name: value' a line in {path}.",
        )
    return {str(name): value for name, value in values.items()}
