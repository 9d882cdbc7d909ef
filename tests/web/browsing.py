# SPDX-License-Identifier: Apache-2.0
"""A browser on the page, and what it must never do: ask another host, break its policy, or fail in a script."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests import desks

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# What a reader needs to tell apart: contrast as WCAG 2.2 (1.4.3) measures it, over what is painted behind a text.
CONTRAST = """() => {
  const part = (v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const colour = (text) => { const n = text.match(/[\\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; };
  const over = (top, below) => top.slice(0, 3).map((v, k) => v * top[3] + below[k] * (1 - top[3]));
  const ground = (node) => {
    const layers = [];
    for (let at = node; at; at = at.parentElement) layers.push(colour(getComputedStyle(at).backgroundColor));
    const scheme = matchMedia("(prefers-color-scheme: dark)").matches ? [0, 0, 0] : [255, 255, 255];
    return layers.reverse().reduce((below, top) => over(top, below), scheme);
  };
  const wrong = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    const style = getComputedStyle(node);
    const box = node.getBoundingClientRect();
    if (!walk.currentNode.textContent.trim() || box.width < 2 || style.visibility === "hidden") continue;
    if (node.closest("option, [disabled], noscript, .hidden, .skip, template")) continue;
    const back = ground(node);
    let opacity = 1;
    for (let at = node; at; at = at.parentElement) opacity *= Number(getComputedStyle(at).opacity);
    const ink = colour(style.color);
    const front = over([ink[0], ink[1], ink[2], ink[3] * opacity], back);
    const [high, low] = [light(front), light(back)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) wrong.push(`${ratio.toFixed(2)} ${node.tagName} ${node.className} ${walk.currentNode.textContent.trim().slice(0, 40)}`);
  }
  return wrong;
}"""

# Names, structure and order that assistive technology goes by (WCAG 2.2: 1.1.1, 1.3.1, 2.4.2, 3.1.1, 4.1.2).
STRUCTURE = """() => {
  const wrong = [];
  const name = (node) => (node.getAttribute("aria-label") || (node.labels && node.labels.length && node.labels[0].textContent)
    || node.textContent || node.getAttribute("alt") || "").trim();
  for (const node of document.querySelectorAll("a, button, input:not([type=hidden]), select, textarea, summary, [role=application], [role=img]"))
    if (!name(node)) wrong.push(`no name: ${node.outerHTML.slice(0, 80)}`);
  for (const node of document.querySelectorAll("img:not([alt])")) wrong.push(`no alt: ${node.src}`);
  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  for (const id of new Set(ids)) if (ids.filter((other) => other === id).length > 1) wrong.push(`id twice: ${id}`);
  for (const node of document.querySelectorAll("[aria-labelledby], [aria-describedby]"))
    for (const attribute of ["aria-labelledby", "aria-describedby"])
      if (node.hasAttribute(attribute) && !document.getElementById(node.getAttribute(attribute))) wrong.push(`points nowhere: ${node.outerHTML.slice(0, 80)}`);
  const heads = [...document.querySelectorAll("h1, h2, h3")].map((node) => Number(node.tagName[1]));
  if (heads.filter((level) => level === 1).length !== 1) wrong.push("not one h1");
  heads.forEach((level, at) => { if (at && level > heads[at - 1] + 1) wrong.push(`h${level} after h${heads[at - 1]}`); });
  for (const table of document.querySelectorAll("table")) {
    if (!table.caption) wrong.push("a table without a caption");
    for (const head of table.querySelectorAll("th")) if (!head.scope) wrong.push(`a head without scope: ${head.textContent}`);
  }
  for (const label of document.querySelectorAll("label")) if (!label.control) wrong.push(`a label of nothing: ${label.textContent}`);
  if (!document.documentElement.lang || !document.title) wrong.push("no language or title");
  if (!document.querySelector("main")) wrong.push("no main");
  if (document.querySelector("[tabindex]:not([tabindex='0']):not([tabindex='-1'])")) wrong.push("an order of its own");
  if (document.documentElement.scrollWidth > window.innerWidth + 1) wrong.push(`wider than the window: ${document.documentElement.scrollWidth}`);
  return wrong;
}"""

# Everything the Tab key comes to in turn, and whether its focus is seen (2.4.7, 2.4.11) and it is large enough (2.5.8).
FOCUSED = """() => {
  const node = document.activeElement;
  if (!node || node === document.body) return null;
  const style = getComputedStyle(node);
  const box = node.getBoundingClientRect();
  const said = node.id || node.name || node.textContent.trim().slice(0, 30) || node.tagName;
  return { said, seen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2, high: box.height, tag: node.tagName };
}"""


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
    page.wait_for_selector("h1:has-text('Worklist')")


def open_case(page: Page, record_id: str) -> None:
    """Wait until everything was drawn and the server has confirmed it."""
    page.goto(f"/records/{record_id}")
    page.wait_for_selector("article[data-displayed]")


def keep(page: Page, pictures: Path, name: str, *, whole: bool = False) -> None:
    """A picture of the window for the documents and for people to look at."""
    pictures.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=pictures / f"{name}.png", full_page=whole, animations="disabled")
