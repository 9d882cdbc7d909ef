# SPDX-License-Identifier: Apache-2.0
"""How many of IBSI's 1,804 published values the device reproduces: two pages, and an error where one is lost.

``python -m radiomicnet_md_validation.ibsi`` shows the page of counts, with ``--write`` it goes to
``docs/reference/ibsi.md`` and the values beside it; a test holds pages and code equal. It reads the folder of public
data that ``RADIOMICNET_MD_DATA`` names. Exit code 3: a value that is expected to agree does not, or a listed cause no
longer explains its row.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from radiomicnet_md_validation import ibsi_page, ibsi_rows

PAGE = Path("docs/reference/ibsi.md")
VALUES_PAGE = Path("docs/reference/ibsi-values.md")
DATA = "RADIOMICNET_MD_DATA"
UNEXPECTED = 3


def main(arguments: list[str] | None = None) -> int:
    """Show or write; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m radiomicnet_md_validation.ibsi")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE} and {VALUES_PAGE} below the current folder")
    chosen = parser.parse_args(arguments)
    data = os.environ.get(DATA)
    if not data:
        parser.error(f"{DATA} must name the folder of public data")
    rows = ibsi_rows.judge(Path(data))
    if chosen.write:
        PAGE.write_text(ibsi_page.page(rows), encoding="utf-8")
        VALUES_PAGE.write_text(ibsi_page.values_page(rows), encoding="utf-8")
    else:
        sys.stdout.write(ibsi_page.page(rows))
    unexpected = [row for row in rows if not row.as_expected]
    for row in unexpected:
        one = row.reference
        sys.stderr.write(
            f"{one.data} {one.aggregation} {row.key}: {row.value}, expected {one.value} ± {one.tolerance}\n"
        )
    return UNEXPECTED if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
