# SPDX-License-Identifier: Apache-2.0
"""The whole story on one machine, from keys to a replayed record; a step that does not hold ends it.

Rules of this room:

- Everything lies in one folder that a marker file calls the demonstration's own. A folder with other things in
  it is left alone; in its own, a new run starts from nothing.
- The cases are chosen by rule, before anything is known about their results.
- ``report.html`` is written last and only when every verification held.
"""

from __future__ import annotations

from radiomicnet_md.demo.story import run

__all__ = ["run"]
