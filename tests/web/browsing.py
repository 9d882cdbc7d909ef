# SPDX-License-Identifier: Apache-2.0
"""A browser on the page, and what it must never do: ask another host, break its policy, or fail in a script."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from PIL import Image

from tests import desks

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_HERE = Path(__file__).parent
CONTRAST, STRUCTURE, FOCUSED = (
    (_HERE / f"{name}.js").read_text(encoding="utf-8") for name in ("contrast", "structure", "focused")
)


@dataclass
class Watch:
    """What a browser did on the way."""

    hosts: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)


@contextmanager
def page_of(browser: Browser, url: str, *, dark: bool = False, width: int = 1440) -> Iterator[tuple[Page, Watch]]:
    """A window on the page; at its end nothing may have been asked elsewhere or gone wrong in a script."""
    scheme = "dark" if dark else "light"
    context = browser.new_context(
        base_url=url, viewport={"width": width, "height": 1000}, color_scheme=scheme, reduced_motion="reduce"
    )
    page, watch = context.new_page(), Watch()
    page.on("request", lambda request: watch.hosts.add(urlsplit(request.url).netloc))
    page.on("pageerror", lambda error: watch.errors.append(str(error)))
    page.on("console", lambda said: said.type == "error" and watch.errors.append(said.text))
    page.set_default_timeout(30_000)
    try:
        yield page, watch
    finally:
        context.close()
    assert watch.hosts <= {"", urlsplit(url).netloc}


def sign_in(page: Page, user: str = "rita") -> None:
    """As a person does."""
    page.goto("/sign-in")
    page.fill("#user", user)
    page.fill("#passphrase", desks.OWN)
    page.click("main button")
    page.wait_for_selector("form.who")


def open_case(page: Page, record_id: str) -> None:
    """Wait until everything was drawn and the server has confirmed it."""
    page.goto(f"/records/{record_id}")
    page.wait_for_selector("article[data-displayed]")


def until(page: Page, condition: str) -> None:
    """Wait for something in the page; the page's policy keeps the browser's own waiting from looking."""
    end = time.monotonic() + 30
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(50)


def keep(page: Page, pictures: Path, name: str, *, whole: bool = False) -> None:
    """A picture of the window for the documents and for people to look at."""
    pictures.mkdir(parents=True, exist_ok=True)
    seen = Image.open(io.BytesIO(page.screenshot(full_page=whole, animations="disabled")))
    seen.convert("RGB").save(pictures / f"{name}.png", optimize=True)
