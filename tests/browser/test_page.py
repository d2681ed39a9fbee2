"""The status page in a real browser, of a real hub with real miners."""

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from browsing import a_browser, cells, looking
from commands import interrupt, running, wait_for
from counterparts import executable, require
from status_page import BLOCK, TOKEN, a_hub, served

FOLDER = Path(os.environ.get("MINER_BROWSER_DIR", Path(__file__).parent))
PICTURES = os.environ.get("MINER_TEST_PICTURES")  # a folder for the pictures of docs/
NARROW = {"width": 360, "height": 800}
NAMES = ("alice", "bob", "carol")
MANY = 10_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with a_browser(require("chromium", executable("chromium"), "ci/install-browser")) as browser:
        yield browser


@pytest.fixture(scope="module")
def axe() -> str:
    path = FOLDER / "node_modules/axe-core/axe.min.js"
    return require("axe-core", path if path.is_file() else None, "ci/install-browser").read_text(encoding="utf-8")


@contextmanager
def hub() -> Iterator[tuple[str, Callable[[str], None]]]:
    """A hub with a miner for each of NAMES: the URL of its page, and a function that ends a miner."""
    with ExitStack() as stack:
        process = stack.enter_context(running("hub", "--sandbox", "-a", "sha256d", "--listen", "127.0.0.1:0",
                                              "--token", TOKEN.replace(" ", "-"), "--status", "0", "--debug"))
        url = wait_for(process, "Status page: ")[-1].rpartition(" ")[2]
        assert process.stdout is not None
        joining = next(line for line in process.stdout if "A miner joins with" in line)
        address = re.search(r"stratum\+tcp://\S+", joining)
        assert address
        miners = {name: stack.enter_context(running("-a", "sha256d", "-o", address[0], "--hub", "-u", name, "-p",
                                                    TOKEN.replace(" ", "-"), "-t", "1", "-q"))
                  for name in NAMES}
        yield url, lambda name: _end(miners[name])


def _end(miner: object) -> None:
    interrupt(miner)  # type: ignore[arg-type]


def sort_by(page: Page, title: str) -> None:
    page.get_by_role("button", name=title, exact=True).click()


def picture(page: Page, tmp_path: Path, name: str) -> None:
    page.screenshot(path=Path(PICTURES or tmp_path) / f"{name}.png", full_page=True)


def test_a_hub_with_three_miners(browser: Browser, axe: str, tmp_path: Path) -> None:
    with hub() as (url, end), looking(browser, url) as page, looking(
            browser, url, viewport=NARROW, color_scheme="dark", is_mobile=True, has_touch=True) as phone:
        sort_by(page, "Miner")
        for shown in (page, phone):
            expect(shown.locator("#table tbody tr:not(.space)")).to_have_count(3)
            expect(shown.locator("#state-text")).to_have_text("mining")
        assert cells(page, 1) == list(NAMES)
        sort_by(page, "Miner")
        assert cells(page, 1) == list(reversed(NAMES))

        rates = page.locator(".tile .value").first
        first = rates.inner_text()
        page.wait_for_function("before => document.querySelector('.tile .value').innerText !== before", arg=first)
        accepted = page.locator(".tile .value").nth(1)
        page.wait_for_function("() => Number(document.querySelectorAll('.tile .value')[1].innerText) > 0")
        assert accepted.inner_text() != "0"
        expect(page.locator("#blocks li").first).to_be_visible()
        assert re.fullmatch(r"[0-9a-f]{64}", page.locator("#blocks .hash").first.inner_text())
        page.wait_for_function("() => document.querySelectorAll('.chart path.line').length >= 2")
        expect(page.locator("#log li").filter(has_text="alice").first).to_be_attached()

        page.locator("#find").fill("bob")
        expect(page.locator("#table tbody tr:not(.space)")).to_have_count(1)
        expect(page.locator("#count")).to_have_text("1 of 3")
        page.locator("#find").fill("")

        end("carol")
        gone = page.locator("#table tr.gone")
        expect(gone).to_have_count(1)
        expect(gone).to_contain_text("carol")
        expect(gone.locator(".mark")).to_have_text("gone")

        for shown, name in ((page, "status-1440"), (phone, "status-360")):
            width = shown.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
            assert width[0] <= width[1], f"{name}: the page is wider than the screen"
            no_violation(shown, axe)
            if PICTURES:  # with something to see on the charts
                shown.evaluate("() => document.activeElement.blur()")
                shown.wait_for_function("() => document.querySelectorAll('.chart rect').length >= 12")
            picture(shown, tmp_path, name)


def no_violation(page: Page, axe: str) -> None:
    page.evaluate(axe)
    found = page.evaluate("() => axe.run()")
    assert [(each["id"], [node["html"][:120] for node in each["nodes"]]) for each in found["violations"]] == []


def test_ten_thousand_rows(browser: Browser) -> None:
    facts, _ = a_hub(MANY)
    with served(facts) as site, looking(browser, f"http://127.0.0.1:{site.port}/") as page:
        expect(page.locator("#count")).to_have_text(f"{MANY:,}".replace(",", "\u202f"))
        assert page.locator("#table tbody tr").count() < 100, "only rows in sight are elements"
        times = page.evaluate("""async () => {
            const drawn = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
            const timed = async action => { const began = performance.now(); action(); await drawn();
                                            return performance.now() - began; };
            const find = document.getElementById("find");
            const type = text => { find.value = text; find.dispatchEvent(new Event("input")); };
            const sort = place => document.querySelectorAll("#table th button")[place].click();
            const best = async action => Math.min(await timed(action), await timed(action), await timed(action));
            return [await best(() => sort(0)), await best(() => sort(8)), await best(() => type("miner-99")),
                    await best(() => type(""))];
        }""")
        assert max(times) < 2000, times
        page.locator("#find").fill("miner-1234")
        assert cells(page, 1) == ["miner-1234"]
        page.locator("#find").fill("")
        sort_by(page, "Miner")
        page.locator("#table").evaluate("place => { place.scrollTop = 5000 * 37; }")
        expect(page.locator("#table tbody")).to_contain_text("miner-5000")
        began = time.monotonic()
        page.reload()
        expect(page.locator("#count")).to_have_text(f"{MANY:,}".replace(",", "\u202f"))
        took = time.monotonic() - began
        print(f"{MANY} rows: {took:.2f} s from reload to table, sorting and filtering {max(times):.0f} ms at most")


def test_by_keyboard(browser: Browser) -> None:
    """Everything that can be clicked can be reached, and a chart tells of its points."""
    with served(a_hub()[0]) as site, looking(browser, f"http://127.0.0.1:{site.port}/") as page:
        page.wait_for_function("() => document.querySelectorAll('.chart rect').length > 0")
        page.keyboard.press("Tab")
        assert page.evaluate("() => document.activeElement.innerText") == "Skip to the miners"
        reached = set()
        for _ in range(40):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("() => document.activeElement.id || document.activeElement.tagName"))
        assert {"find", "which", "table", "blocks", "log", "BUTTON", "A", "svg"} <= reached
        chart = page.locator(".chart svg").nth(1)
        chart.focus()
        chart.press("ArrowLeft")
        expect(page.locator(".chart output").nth(1)).to_contain_text("accepted")
        page.locator("#table th button").first.focus()
        page.keyboard.press("Enter")
        expect(page.locator("#table th").first).to_have_attribute("aria-sort", "ascending")


def test_names_are_no_markup(browser: Browser) -> None:
    with served(a_hub()[0]) as site, looking(browser, f"http://127.0.0.1:{site.port}/") as page:
        expect(page.locator("#log li").first).to_contain_text("a line <b>with</b> markup")
        expect(page.locator("#blocks .hash")).to_have_text(BLOCK)


def test_the_token_is_asked_for(browser: Browser, axe: str) -> None:
    with (served(a_hub()[0], token=TOKEN) as site,
          looking(browser, f"http://127.0.0.1:{site.port}/", viewport=NARROW) as page):
        no_violation(page, axe)
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Log in").click()
        expect(page.locator("#table tbody tr:not(.space)")).to_have_count(3)
        assert TOKEN not in page.url and page.evaluate("() => document.cookie") == ""
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_label("Token")).to_be_visible()


def test_a_page_whose_server_has_gone_says_so(browser: Browser) -> None:
    context = browser.new_context(viewport=NARROW)
    with served(a_hub()[0]) as site:
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{site.port}/")
        expect(page.locator("#state-text")).to_have_text("mining")
    expect(page.locator("#state-text")).to_have_text("no connection")
    expect(page.locator("#alert")).to_contain_text("lost its connection")
    context.close()
