"""A real browser. A console error, a failed request or one to another host fails the test."""

from __future__ import annotations

import os
import shutil
from importlib.resources import files
from urllib.parse import urlsplit

import pytest
from django.test import Client
from playwright.sync_api import Browser, Locator, Page, sync_playwright

# Playwright's own loop runs in this thread; the ORM is asked between its steps, never within.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"

# The shell first: the same engine without a browser's own windows takes half the time.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)
AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        pytest.skip("there is no chromium here: apt-get install chromium-headless-shell")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


# Later rows of a list or a table, later parts of an article, later operations of the reference.
REPEATED = (
    "#result_list tbody tr:nth-child(n+5), .prose > :nth-of-type(n+5), .prose tr:nth-child(n+5),"
    " .operation:nth-of-type(n+4)"
)
# Words of the elements that match a selector which a browser breaks: not after a separator, or at a <wbr>.
BROKEN_WORDS = """selector => [...document.querySelectorAll(selector)].flatMap((box) => {
    const texts = document.createTreeWalker(box, NodeFilter.SHOW_TEXT), broken = [];
    while (texts.nextNode()) {
        const text = texts.currentNode;
        if (!text.parentElement.checkVisibility()) continue;
        for (const word of text.data.matchAll(/[^\\s\\-\\/–—…?]+/g)) {
            const range = document.createRange();
            range.setStart(text, word.index);
            range.setEnd(text, word.index + word[0].length);
            const lines = new Set([...range.getClientRects()].map((line) => Math.round(line.top)));
            if (lines.size > 1) broken.push(word[0]);
        }
    }
    return broken;
})"""
# Links of the admin change their colour within 150 ms.
WITHOUT_TRANSITIONS = """() => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync("* { transition: none !important; }");
    document.adoptedStyleSheets = [sheet];
}"""


def follow(locator: Locator) -> None:
    """Clicks what leads to another page, and waits until that page has loaded.

    `click()` alone returns while the old page is still shown: what is read or clicked next may be in that page.
    """
    with locator.page.expect_navigation(wait_until="load"):
        locator.click()


class Traffic:
    """The size of every response that a page loads, as the DevTools protocol reports it.

    Without the browser's cache: entries of `performance` have size 0 for some of what comes from it.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self._urls: dict[str, str] = {}
        self._sizes: dict[str, int] = {}
        self._open: set[str] = set()
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        session.on("Network.requestWillBeSent", self._on_request)
        session.on("Network.dataReceived", self._on_data)
        for end in ("Network.loadingFinished", "Network.loadingFailed"):
            session.on(end, lambda event: self._open.discard(event["requestId"]))

    def of(self, path: str) -> dict[str, int]:
        """Opens `path`; returns the decoded sizes in bytes of what it loaded, by path."""
        self._urls.clear()
        self._sizes.clear()
        self._page.goto(path, wait_until="load")
        while self._open:
            self._page.wait_for_timeout(10)
        return {self._urls[key]: size for key, size in self._sizes.items() if key in self._urls}

    def _on_request(self, event) -> None:
        url = urlsplit(event["request"]["url"])
        if url.scheme.startswith("http"):
            self._urls[event["requestId"]] = url.path
            self._open.add(event["requestId"])

    def _on_data(self, event) -> None:
        key = event["requestId"]
        self._sizes[key] = self._sizes.get(key, 0) + event["dataLength"]


class Visitor:
    """A person at a browser. `complaints` is what the browser held against the pages."""

    def __init__(self, browser: Browser, server: str, **settings) -> None:
        self.server = server
        self.context = browser.new_context(base_url=server, **settings)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(60_000)
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._on_console)
        self.page.on("requestfailed", self._on_failure)
        self.page.on("request", self._on_request)

    def log_in(self, user) -> None:
        """Sets the cookie of a session; passwords have tests of their own."""
        client = Client()
        client.force_login(user)
        session_key = client.cookies["sessionid"].value
        cookie = {"name": "sessionid", "value": session_key, "url": self.server}
        self.context.add_cookies([cookie])

    def open(self, path: str) -> Page:
        self.page.goto(path, wait_until="load")
        return self.page

    def violations(self, *rules: str) -> list[str]:
        """Violations that axe-core finds in the page: WCAG 2 A and AA, best practices; or `rules` alone."""
        self.page.evaluate(AXE)
        # No preload: it requests what a style sheet imports, at an address relative to the page.
        options = {
            "resultTypes": ["violations"],
            "preload": False,
            **({"runOnly": list(rules)} if rules else {}),
        }
        found = self.page.evaluate("options => axe.run(options)", options)["violations"]
        return [
            f"{item['id']}: {node['target']} {node['failureSummary']}"
            for item in found
            for node in item["nodes"]
        ]

    def broken_words(self, selector: str) -> list[str]:
        """Words in `selector` that are broken in the middle, in the present width of the page."""
        found: list[str] = self.page.evaluate(BROKEN_WORDS, selector)
        return found

    def shorten(self) -> None:
        """Removes what repeats the elements before it: axe-core takes seconds for a hundred rows."""
        self.page.evaluate(
            "repeated => document.querySelectorAll(repeated).forEach(one => one.remove())", REPEATED
        )

    def violations_in_both_schemes(self) -> list[str]:
        """Violations in the light, and what the dark alone can spoil; one load for both."""
        self.shorten()
        self.page.evaluate(WITHOUT_TRANSITIONS)
        self.page.emulate_media(color_scheme="light")
        found = self.violations()
        self.page.emulate_media(color_scheme="dark")
        return found + [f"dark: {one}" for one in self.violations("color-contrast")]

    def _on_console(self, message) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _on_failure(self, request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the page was left during a request
            self.complaints.append(f"{request.url}: {request.failure}")

    def _on_request(self, request) -> None:
        if not request.url.startswith((self.server, "data:", "blob:")):
            self.complaints.append(f"request to another host: {request.url}")


@pytest.fixture
def visit(browser, live_server):
    """`visit()` is a visitor; `visit(color_scheme="dark")` one with a preference for dark."""
    visitors = []

    def arrive(**settings) -> Visitor:
        visitor = Visitor(browser, live_server.url, **settings)
        visitors.append(visitor)
        return visitor

    yield arrive
    for visitor in visitors:
        visitor.context.close()
        assert visitor.complaints == []
