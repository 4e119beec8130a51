"""A real browser, and what it must never say: an error in the console, a request that failed."""

from __future__ import annotations

import os
import shutil
from importlib.resources import files

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

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


class Visitor:
    """A person at a browser. `complaints` is what the browser held against the pages."""

    def __init__(self, browser: Browser, server: str, **settings) -> None:
        self.server = server
        self.context = browser.new_context(base_url=server, **settings)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(10_000)
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._on_console)
        self.page.on("requestfailed", self._on_failure)
        self.page.on("request", self._on_request)

    def log_in(self, user) -> None:
        """As the login form would; the password has tests of its own."""
        from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
        from django.contrib.sessions.backends.db import SessionStore

        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.save()
        cookie = {"name": "sessionid", "value": session.session_key, "url": self.server}
        self.context.add_cookies([cookie])

    def open(self, path: str) -> Page:
        self.page.goto(path, wait_until="load")
        return self.page

    def violations(self, *rules: str) -> list[str]:
        """What axe-core holds against the page: WCAG 2 A and AA, best practices; or `rules` alone."""
        self.page.evaluate(AXE)
        options = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
        found = self.page.evaluate("options => axe.run(options)", options)["violations"]
        return [
            f"{item['id']}: {node['target']} {node['failureSummary']}"
            for item in found
            for node in item["nodes"]
        ]

    def _on_console(self, message) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _on_failure(self, request) -> None:
        if request.failure != "net::ERR_ABORTED":  # a page left while something loads
            self.complaints.append(f"{request.url}: {request.failure}")

    def _on_request(self, request) -> None:
        if not request.url.startswith((self.server, "data:", "blob:")):
            self.complaints.append(f"asks the outside: {request.url}")


@pytest.fixture
def visit(browser, live_server):
    """`visit()` is a visitor; `visit(color_scheme="dark")` one who likes the dark."""
    visitors = []

    def arrive(**settings) -> Visitor:
        visitor = Visitor(browser, live_server.url, **settings)
        visitors.append(visitor)
        return visitor

    yield arrive
    for visitor in visitors:
        visitor.context.close()
        assert visitor.complaints == []
