# SPDX-License-Identifier: Apache-2.0
"""The page in a real browser: what is painted, what the keyboard reaches, what is signed, and what is never asked."""

from __future__ import annotations

import base64
import hashlib
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from radiomicnet_md import home as homes
from radiomicnet_md import people, shelf
from tests import desks
from tests.web.browsing import CONTRAST, FOCUSED, STRUCTURE, keep, open_case, page_of, sign_in, until
from tests.web.conftest import Cases
from tests.web.serving import Served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

AMBER = (0xF0, 0xA8, 0x18)


@pytest.fixture(scope="module")
def browser(require: Callable[[str], Path]) -> Iterator[Browser]:
    """Chromium without a window."""
    program = require("chromium")
    require("playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        made = play.chromium.launch(executable_path=str(program), args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture(scope="session")
def cases(real_site: tuple[Path, Cases]) -> Cases:
    return real_site[1]


@pytest.fixture(scope="session")
def pictures(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures go: beside the documents where RADIOMICNET_MD_PICTURES asks for it, else to be thrown away."""
    return root / "docs" / "pictures" if os.environ.get("RADIOMICNET_MD_PICTURES") else tmp_path_factory.mktemp("seen")


@pytest.fixture(scope="session")
def site_of_cases(served: Served, cases: Cases) -> tuple[Served, Cases]:
    return served, cases


def _signed(home: Path, record_id: str) -> list[people.Signature]:
    with homes.open_home(home).reading_ledger() as ledger:
        return people.signatures(ledger, record_id)


def _canvas(page: Page) -> np.ndarray:
    """What is painted on the canvas, (rows, columns, 4)."""
    said: str = page.evaluate("document.getElementById('canvas').toDataURL()")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(said.partition(",")[2]))).convert("RGBA"))


@pytest.mark.verifies("SRS-PAG-003")
def test_the_canvas_shows_the_samples_and_the_outline_where_the_mask_is(
    browser: Browser, served: Served, cases: Cases, real_site: tuple[Path, Cases]
) -> None:
    with page_of(browser, served.url) as (page, watch):
        sign_in(page)
        open_case(page, cases.result)
        page.uncheck("#second")
        page.wait_for_timeout(300)
        painted = _canvas(page)
        assert watch.errors == []
    with homes.open_home(real_site[0]).reading_ledger() as ledger:
        predicate = ledger.read(ledger.find(cases.result)).predicate
    outputs: dict[str, object] = predicate["outputs"]  # type: ignore[assignment]
    kept = shelf.fetch(real_site[0], str(outputs["mask_sha256"]))
    assert kept is not None
    mask = np.frombuffer(kept, dtype=np.uint8).reshape(outputs["mask_shape"]) != 0  # type: ignore[arg-type]
    amber = (np.abs(painted[..., :3].astype(int) - AMBER).max(axis=2) < 60) & (painted[..., 0] > painted[..., 2] + 60)
    rows, columns = (np.arange(n) * of // n for n, of in zip(painted.shape[:2], mask.shape, strict=True))
    large = mask[rows[:, None], columns]
    border = large ^ _shrunk(large, 6)
    assert amber.sum() > 300
    assert (amber & _grown(border, 3)).sum() > 0.99 * amber.sum()
    assert (_grown(amber, 6) & border).sum() > 0.97 * border.sum()


def _shrunk(mask: np.ndarray, steps: int) -> np.ndarray:
    return ~_grown(~mask, steps)


def _grown(mask: np.ndarray, steps: int) -> np.ndarray:
    from scipy.ndimage import binary_dilation

    return np.asarray(binary_dilation(mask, iterations=steps))


@pytest.mark.verifies("SRS-PAG-001", "SRS-PAG-010", "SRS-PAG-011")
def test_a_person_looks_signs_and_prints(
    browser: Browser, served: Served, cases: Cases, pictures: Path, real_site: tuple[Path, Cases]
) -> None:
    before = len(_signed(real_site[0], cases.result))
    with page_of(browser, served.url) as (page, watch):
        page.goto("/")
        keep(page, pictures, "page-sign-in")
        sign_in(page)
        keep(page, pictures, "page-worklist")
        open_case(page, cases.result)
        keep(page, pictures, "page-case")
        box = page.locator("#canvas").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.42)
        page.wait_for_selector("#pixel:not([hidden])")
        page.locator("#evidence").scroll_into_view_if_needed()
        for each in page.locator("button.map img").all():
            each.scroll_into_view_if_needed()
        until(page, "[...document.querySelectorAll('.map img')].every((one) => one.complete && one.naturalWidth)")
        page.evaluate("document.getElementById('evidence').scrollIntoView()")
        keep(page, pictures, "page-evidence")
        assert page.locator("#signing button").is_enabled()
        assert page.locator("input[name=meaning]:checked").count() == 0
        page.click("#signing button")  # without a choice the form stays
        assert len(_signed(real_site[0], cases.result)) == before
        page.check("#meaning-override")
        assert page.locator("#why-signed").evaluate("(one) => one.required")
        page.fill("#why-signed", "outline too wide at the lower edge")
        page.fill("form#sign #passphrase", desks.OWN)
        page.locator("form#sign").scroll_into_view_if_needed()
        keep(page, pictures, "page-signing")
        page.click("#signing button")
        page.wait_for_selector(".signatures li")
        assert "Rita Example" in page.locator(".signatures").first.inner_text()
        page.goto(f"/records/{cases.result}/print")
        text = page.locator("main").inner_text()
        assert "Rita Example" in text
        assert "Override" in text
        keep(page, pictures, "page-printed", whole=True)
        assert page.pdf().startswith(b"%PDF-")
        assert watch.errors == []
    newest = _signed(real_site[0], cases.result)[-1]
    assert (newest.meaning, newest.reason) == ("override", "outline too wide at the lower edge")
    assert {"image", "outline", "record.txt"} <= {name for name, _ in newest.shown}


@pytest.mark.verifies("SRS-PAG-005", "SRS-PAG-010")
def test_a_case_is_found_looked_at_and_signed_with_the_keyboard_alone(
    browser: Browser, served: Served, cases: Cases, real_site: tuple[Path, Cases]
) -> None:
    before = len(_signed(real_site[0], cases.none))
    with page_of(browser, served.url) as (page, watch):
        page.goto("/sign-in")
        until(page, "document.activeElement.id === 'user'")
        page.keyboard.type("rita")
        page.keyboard.press("Tab")
        page.keyboard.type(desks.OWN)
        page.keyboard.press("Enter")
        page.wait_for_selector("h1:has-text('Worklist')")
        _tab_to(page, f"a[href='/records/{cases.none}']")
        page.keyboard.press("Enter")
        page.wait_for_selector("article[data-displayed]")
        _tab_to(page, "#canvas")
        for key in ("ArrowDown", "Shift+ArrowRight", "+", "Alt+ArrowLeft", "0", "-"):
            page.keyboard.press(key)
        page.wait_for_selector("#pixel:not([hidden])")
        assert "column" in page.locator("#pixel-place").inner_text()
        _tab_to(page, "#level")
        page.keyboard.press("ArrowLeft")
        assert page.locator("#level").input_value() == "127"
        _tab_to(page, "input[name=meaning]")
        page.keyboard.press("Space")
        assert page.locator("input[name=meaning]:checked").count() == 1
        page.keyboard.press("ArrowDown")
        assert page.locator("input[name=meaning]:checked").get_attribute("value") == "reject"
        page.keyboard.press("Tab")
        page.keyboard.type("a lesion at four o'clock is missed")
        page.keyboard.press("Tab")
        page.keyboard.type(desks.OWN)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_selector(".signatures li")
        assert watch.errors == []
    assert len(_signed(real_site[0], cases.none)) == before + 1


def _tab_to(page: Page, selector: str) -> None:
    """Press Tab until the focus is there; everything on the way shows its focus and is large enough to hit."""
    page.wait_for_load_state("networkidle")
    for _ in range(90):
        page.keyboard.press("Tab")
        said = page.evaluate(FOCUSED)
        if said is not None:
            assert said["seen"], said
            assert said["tag"] in {"A", "SUMMARY"} or said["high"] >= 17, said
        if page.evaluate("(one) => document.activeElement.matches(one)", selector):
            return
    raise AssertionError(selector)


def _paths(cases: Cases) -> list[str]:
    """Every page that a reviewer reads."""
    pages = ["/", "/log", "/api", "/passphrase", f"/compare?one={cases.result}&other={cases.again}"]
    pages += [f"/records/{one}" for one in (cases.result, cases.none, cases.refused)]
    return [*pages, f"/records/{cases.result}/print"]


def _open_wholly(page: Page, path: str) -> None:
    """A page with all that it can unfold."""
    page.goto(path)
    page.wait_for_load_state("networkidle")
    for each in page.locator("details").all():
        each.evaluate("(one) => { one.open = true; }")


@pytest.mark.verifies("SRS-PAG-005")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 640])
def test_every_page_has_contrast_names_and_order(
    browser: Browser, site_of_cases: tuple[Served, Cases], pictures: Path, scheme: str, width: int
) -> None:
    served, cases = site_of_cases
    dark = scheme == "dark"
    with page_of(browser, served.url, dark=dark, width=width) as (page, watch):
        page.goto("/sign-in")
        assert page.evaluate(CONTRAST) == []
        sign_in(page, "quin")
        for path in _paths(cases):
            _open_wholly(page, path)
            assert page.evaluate(CONTRAST) == [], path
            assert page.evaluate(STRUCTURE) == [], path
        if dark and width == 1440:
            open_case(page, cases.result)
            keep(page, pictures, "page-case-dark")
        assert watch.errors == []


@pytest.mark.verifies("SRS-PAG-005")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_against_wcag(
    browser: Browser, served: Served, cases: Cases, scheme: str, require: Callable[[str], Path]
) -> None:
    axe = (require("axe").parent / "axe.min.js").read_text(encoding="utf-8")
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}

    def found(page: Page) -> list[tuple[str, str]]:
        # By the debugger, which the page's policy does not hold back.
        page.evaluate(axe)
        said = page.evaluate("(rules) => axe.run(document, rules)", rules)
        return [(one["id"], str(node["target"])) for one in said["violations"] for node in one["nodes"]]

    with page_of(browser, served.url, dark=scheme == "dark") as (page, _):
        page.goto("/sign-in")
        assert found(page) == []
        sign_in(page)
        for path in _paths(cases):
            _open_wholly(page, path)
            assert found(page) == [], path
        sign_in(page, "anna")
        _open_wholly(page, "/people")
        assert found(page) == []


@pytest.mark.verifies("SRS-PAG-012")
def test_an_administrator_adds_a_person_who_then_signs(
    browser: Browser, served: Served, cases: Cases, pictures: Path, real_site: tuple[Path, Cases]
) -> None:
    with page_of(browser, served.url) as (page, watch):
        sign_in(page, "anna")
        page.click("text=People")
        page.fill("#add-id", "vera")
        page.fill("#add-name", "Vera Example")
        page.fill("#add-first", desks.FIRST)
        page.fill("#add-again", desks.FIRST)
        page.fill("#add-passphrase", desks.OWN)
        page.click("button[value=add]")
        page.wait_for_selector("th:has-text('vera')")
        assert "first passphrase" in page.locator("tr:has(th:text-is('vera'))").inner_text()
        page.click("text=Change rita")
        keep(page, pictures, "page-people", whole=True)
        assert watch.errors == []
    with page_of(browser, served.url) as (page, watch):
        page.goto("/sign-in")
        page.fill("#user", "vera")
        page.fill("#passphrase", desks.FIRST)
        page.click("main button")
        page.wait_for_selector("#again")
        for field, value in (("old", desks.FIRST), ("new", desks.OWN), ("again", desks.OWN)):
            page.fill(f"#{field}", value)
        page.click("main button")
        page.wait_for_selector("#user")
        sign_in(page, "vera")
        open_case(page, cases.refused)
        page.check("#meaning-approve")
        page.fill("form#sign #passphrase", desks.OWN)
        page.click("#signing button")
        page.wait_for_selector(".signatures li")
        assert watch.errors == []
    assert _signed(real_site[0], cases.refused)[-1].name == "Vera Example"


@pytest.mark.verifies("SRS-PAG-006")
def test_two_decisions_are_compared_and_one_is_replayed(
    browser: Browser, served: Served, cases: Cases, pictures: Path
) -> None:
    with page_of(browser, served.url) as (page, watch):
        sign_in(page)
        page.goto(f"/compare?one={cases.result}&other={cases.again}")
        page.wait_for_load_state("networkidle")
        assert "1.0000" in page.locator("main").inner_text()
        keep(page, pictures, "page-compare")
        open_case(page, cases.result)
        page.click("text=Replay: decide again and compare")
        page.wait_for_selector("#verdict", timeout=120_000)
        assert page.locator("#verdict").inner_text() == "IDENTICAL"
        keep(page, pictures, "page-replay")
        page.goto("/log")
        page.click("text=Verify the whole log now")
        page.wait_for_selector(".claims")
        keep(page, pictures, "page-log")
        assert watch.errors == []


@pytest.mark.verifies("SRS-PAG-003", "SRS-PAG-010")
def test_a_layer_that_is_changed_on_the_way_is_not_shown_and_nothing_can_be_signed(
    browser: Browser, served: Served, cases: Cases
) -> None:
    other = io.BytesIO()
    Image.new("L", (8, 8), 99).save(other, "PNG")
    with page_of(browser, served.url) as (page, _):
        sign_in(page)
        page.route("**/layers/image.png", lambda route: route.fulfill(body=other.getvalue(), content_type="image/png"))
        page.goto(f"/records/{cases.result}")
        until(page, "document.getElementById('drawn').textContent.includes('sent')")
        assert page.locator("#signing button").is_disabled()
        assert page.locator("#stage").is_hidden()
        assert hashlib.sha256(other.getvalue()).hexdigest()[:12] not in page.locator("main").inner_text()


@pytest.mark.verifies("SRS-PAG-001")
def test_a_refusal_has_a_reason_and_no_picture(browser: Browser, served: Served, cases: Cases, pictures: Path) -> None:
    with page_of(browser, served.url) as (page, watch):
        sign_in(page)
        open_case(page, cases.refused)
        assert page.locator("canvas").count() == 0
        assert page.locator("#signing button").is_enabled()
        keep(page, pictures, "page-refused")
        open_case(page, cases.none)
        keep(page, pictures, "page-none")
        assert watch.errors == []


@pytest.mark.verifies("SRS-PAG-002")
def test_window_level_zoom_and_maps_change_what_is_painted_and_nothing_else(
    browser: Browser, served: Served, cases: Cases
) -> None:
    with page_of(browser, served.url) as (page, watch):
        sign_in(page)
        open_case(page, cases.result)
        page.wait_for_timeout(200)
        seen = [_canvas(page)]

        def changed() -> bool:
            page.wait_for_timeout(250)
            seen.append(_canvas(page))
            return not np.array_equal(seen[-1], seen[-2])

        for name, value in (("window", "80"), ("level", "60"), ("line", "0")):
            page.locator(f"#{name}").fill(value)
            assert changed(), name
        page.click("#zoom-in")
        assert changed()
        page.click("button.map >> nth=0")
        page.wait_for_selector("button.map[aria-pressed=true]")
        page.wait_for_load_state("networkidle")
        assert changed()
        page.click("button.map >> nth=0")
        page.locator("#line").fill("100")
        page.click("#reset")
        page.wait_for_timeout(250)
        assert np.array_equal(_canvas(page), seen[0])
        assert watch.errors == []
