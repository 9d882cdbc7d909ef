# SPDX-License-Identifier: Apache-2.0
"""Compiled code is kept where nobody but its user can write, for it is run as it is found.

Rules of this module:

- One folder for all homes of a user, ``$XDG_CACHE_HOME/radiomicnet-md/kernels`` (by default in ``~/.cache``): what
  measures and decides is compiled once a version and processor.
- It works only before numba is imported; so no module that a desk is opened with imports it at its top.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from radiomicnet_md.config import xdg
from radiomicnet_md.errors import ConfigurationError

_WAIT = "compiling for this processor, once for this version: about a minute"


def use_private_cache() -> None:
    """Make numba keep its compiled code in the user's own folder.

    Raises :class:`ConfigurationError` (``E-CACHE``) where there is no such folder and none can be made.
    """
    folder = xdg(os.environ, "XDG_CACHE_HOME", ".cache") / "kernels"
    remedy = "Name a folder of this account's own: XDG_CACHE_HOME=/path/to/folder"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise ConfigurationError("E-CACHE", f"{folder} is a link, or belongs to another account.", remedy=remedy)
        folder.chmod(0o700)
    except OSError as error:
        text = f"The folder for compiled code cannot be made in {folder.parent}: {error.strerror}."
        raise ConfigurationError("E-CACHE", text, remedy=remedy) from error
    os.environ["NUMBA_CACHE_DIR"] = str(folder)


def announce(note: Callable[[str], None], module: str = "layers") -> None:
    """Say that a wait is coming where the kernels of a module have not been compiled yet."""
    use_private_cache()
    from radiomicnet_md.radiomics import jit

    if not jit.compiled(module):
        note(_WAIT)
