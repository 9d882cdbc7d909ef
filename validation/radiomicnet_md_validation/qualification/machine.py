# SPDX-License-Identifier: Apache-2.0
"""What a qualification ran on, in full: hardware, system, libraries. It names no computer, person or folder."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

from radiomicnet_md.engine.installation import DEPENDENCIES

_OTHERS = ("highdicom", "matplotlib", "psycopg", "pydantic", "pytest", "radiomicnet-md", "radiomicnet-md-audit")


def describe() -> dict[str, str]:
    """Names and values, as text."""
    processor = _fields(Path("/proc/cpuinfo"))
    return {
        "processor": processor.get("model name", platform.machine()),
        "processor flags": processor.get("flags", "not told"),
        "processors usable": str(len(os.sched_getaffinity(0))),
        "memory": _fields(Path("/proc/meminfo")).get("MemTotal", "not told"),
        "accelerator": "none is used",
        "system": _system(),
        "kernel": f"{platform.system()} {platform.release()} on {platform.machine()}",
        "libc": " ".join(platform.libc_ver()),
        "python": f"{platform.python_implementation()} {platform.python_version()}, {platform.python_compiler()}",
        "packages": ", ".join(f"{name} {found}" for name in (*DEPENDENCIES, *_OTHERS) if (found := _version(name))),
    }


def _fields(file: Path) -> dict[str, str]:
    """``name: value`` of the first block of a file of the kernel's; nothing where it is not there."""
    try:
        lines = file.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in reversed(lines))
    return {name.strip(): value.strip() for name, _, value in pairs}


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
