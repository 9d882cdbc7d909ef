# SPDX-License-Identifier: Apache-2.0
"""docs/ as a site: it builds without a warning, loads nothing from elsewhere, and says what the pages say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.traceability import test_markup

pytestmark = pytest.mark.verifies("SRS-DOC-004")

ROOT = Path(__file__).resolve().parents[2]
LOADED = {
    "script": "src",
    "img": "src",
    "source": "src",
    "iframe": "src",
    "video": "src",
    "link": "href",
    "use": "href",
}
ADDED = re.compile(r'<a class="headerlink".*?</a>|<form.*?</form>|<nav.*?</nav>|<aside.*?</aside>', re.DOTALL)


def beside() -> list[str]:
    """The pages of the site that lie outside docs/, but for the README."""
    found = re.search(r"^_SAME = \((.*)\)$", (ROOT / "deploy" / "site" / "hook.py").read_text("utf-8"), re.MULTILINE)
    assert found is not None
    return re.findall(r'"(.+?)"', found[1])


def build(checkout: Path, library: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """The site of a checkout, strictly."""
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(out)],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(library), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(require: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    run = build(ROOT, require("mkdocs").parent, out)
    assert run.returncode == 0, run.stderr
    return out


def pages(site: Path) -> Iterator[tuple[Path, str]]:
    return ((page, page.read_text(encoding="utf-8")) for page in sorted(site.rglob("*.html")))


class Loads(HTMLParser):
    """What a browser fetches by itself when it shows a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name == LOADED.get(tag)]


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    seen = {page: Loads(text).found for page, text in pages(site)}
    assert sum(map(len, seen.values())) > 4 * len(seen)  # each has styles and scripts: the parser sees them
    assert [(page.name, one) for page, found in seen.items() for one in found if re.match(r"\w+:|//", one)] == []
    assert [page.name for page, text in pages(site) if "Content-Security-Policy" not in text] == []
    styles = {style: style.read_text(encoding="utf-8") for style in site.rglob("*.css")}
    assert styles
    assert [style.name for style, text in styles.items() if re.search(r"@import|url\(['\"]?(?:\w+:)?//", text)] == []


def test_each_page_says_what_another_reader_of_markdown_reads(site: Path) -> None:
    for page in test_markup.PAGES:
        name = page.relative_to(ROOT).with_suffix(".html").as_posix().removeprefix("docs/")
        text = (site / name.replace("README", "index")).read_text(encoding="utf-8")
        inside = ADDED.sub("", text[text.index("<article") : text.index("</article>")])
        ours, other = test_markup.Seen(inside), test_markup.theirs(page.read_text(encoding="utf-8"))
        assert ours.words == other.words, name
        for tag in test_markup.BLOCKS:
            assert ours.tags.get(tag, 0) == other.tags.get(tag, 0), (name, tag)


def test_a_source_that_a_page_names_is_a_page(site: Path) -> None:
    licence = (site / "source" / "LICENSE.html").read_text(encoding="utf-8")
    assert "Apache License" in licence
    assert 'href="source/LICENSE.html"' in (site / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("[w](nowhere.md)\n", "nowhere.md"),
        ("[w](../../tests/nowhere.py)\n", "nowhere.py"),
        ("[w](../reference/record.md#nowhere)\n", "#nowhere"),
    ],
)
def test_a_link_into_nothing_and_a_page_without_a_way_to_it_end_the_build(
    require: Callable[[str], Path], tmp_path: Path, page: str, said: str
) -> None:
    library = require("mkdocs").parent
    checkout = tmp_path / "checkout"
    for name in (
        "docs/reference/record.md",
        "deploy/site/hook.py",
        "traceability/radiomicnet_md_traceability/markup.py",
    ):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)
    shutil.copytree(ROOT / "deploy" / "site", checkout / "deploy" / "site", dirs_exist_ok=True)
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[0]
    (checkout / "mkdocs.yml").write_text(f"{config}\nnav: [index.md, how-to/new.md]\n", encoding="utf-8")
    for name in ("README.md", *beside()):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("# Words\n", encoding="utf-8")
    new = checkout / "docs" / "how-to" / "new.md"
    new.parent.mkdir()
    new.write_text(f"# New\n\n{page}", encoding="utf-8")
    run = build(checkout, library, tmp_path / "out")
    assert run.returncode != 0
    assert said in run.stderr
    assert "SOUP.md" in run.stderr  # no navigation reaches it


def test_a_browser_asks_no_other_host_for_any_kind_of_page(require: Callable[[str], Path], site: Path) -> None:
    program = require("chromium")
    require("playwright")
    from playwright.sync_api import sync_playwright

    shown = ("index", "reference/cli", "reference/results", "regulatory/architecture/overview", "source/LICENSE")
    asked, said = list[str](), list[str]()
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 400, "height": 900})
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        for name in shown:
            page.goto((site / f"{name}.html").as_uri())
            page.wait_for_load_state("networkidle")
            assert page.evaluate("document.documentElement.scrollWidth") <= 400, name
        browser.close()
    assert len(asked) > 3 * len(shown)
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert said == []
