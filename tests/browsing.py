"""A real browser, and the status page in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from commands import LIMIT

WIDE = {"width": 1440, "height": 1000}
expect.set_options(timeout=LIMIT * 1000)


@contextmanager
def a_browser(program: Path) -> Iterator[Browser]:
    """The browser whose program this is, without a window."""
    with sync_playwright() as playwright:
        # --no-sandbox: root may not have one, and nothing but our own page is shown.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@contextmanager
def looking(browser: Browser, url: str, **settings: object) -> Iterator[Page]:
    """The page at a URL. No error in its console, and no request to elsewhere, may come of looking at it."""
    context: BrowserContext = browser.new_context(**{"viewport": WIDE} | settings)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(LIMIT * 1000)
    errors: list[str] = []
    elsewhere: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith(url) else elsewhere.append(request.url))
    try:
        page.goto(url)
        yield page
    finally:
        found = list(errors), list(elsewhere)  # what the end of the page brings is none of the page's
        context.close()
    assert found == ([], [])


def cells(page: Page, column: int) -> list[str]:
    """What stands in a column of the table of miners."""
    return page.locator(f"#table tbody tr:not(.space) td:nth-child({column})").all_inner_texts()
