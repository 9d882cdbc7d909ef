# SPDX-License-Identifier: Apache-2.0
"""One row a record, which opens in a spreadsheet without ever becoming a formula there.

Source: RFC 4180 for CSV. Rules of this module:

- Both forms have the same columns and values; JSONL keeps their types.
- In CSV every cell is quoted. A spreadsheet takes a cell for a formula when it begins with ``=``, ``+``, ``-`` or
  ``@`` (wide forms too), white space and invisible characters aside, and some cut a line at ``;`` or a tab instead of
  the comma. So an apostrophe is put before such a character at the beginning of a cell and after ``,``, ``;``, tab
  and line break.
- The same is done to an apostrophe in such a place. So the text comes back exactly: take one apostrophe away
  from each of these places.
- JSONL is ASCII: no reader finds a line break inside a line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from radiomicnet_md_audit.outside.rows import COLUMNS, Logged, text

_UNSAFE = re.compile(
    r"((?:\A|[,;\t\r\n])[\s\"\x00-\x1f\u200b-\u200f\u2060\ufeff]*)(?=[=+\-@'\uff1d\uff0b\uff0d\uff20])"
)


def csv(records: Iterable[Logged]) -> Iterator[bytes]:
    """Yield the lines of a CSV file (UTF-8, CR LF), the first with the columns' names; null is an empty cell."""
    yield _line(COLUMNS)
    for record in records:
        yield _line("" if value is None else text(value) for value in record.row().values())


def jsonl(records: Iterable[Logged]) -> Iterator[bytes]:
    """Yield one JSON object a line."""
    for record in records:
        yield json.dumps(record.row()).encode("ascii") + b"\n"


def _line(cells: Iterable[str]) -> bytes:
    quoted = ('"' + _UNSAFE.sub(r"\1'", cell).replace('"', '""') + '"' for cell in cells)
    return (",".join(quoted) + "\r\n").encode("utf-8")
