"""Helpers for tests of the page: a tab that records what goes wrong in it, and what visitors do."""

from __future__ import annotations

import base64
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, expect, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
QUIET += ["--disable-background-networking", "--disable-component-update"]
DROP = """([data, name, type]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name, { type }));
  const options = { dataTransfer, bubbles: true, cancelable: true };
  const send = (kind) => document.body.dispatchEvent(new DragEvent(kind, options));
  send("dragover");
  send("drop");
}"""


DESKTOP, LAPTOP = {"width": 1280, "height": 800}, {"width": 1280, "height": 720}
PHONE, ZOOMED = {"width": 390, "height": 844}, {"width": 640, "height": 360}  # a laptop at 200 %

expect.set_options(timeout=20_000)  # a busy machine takes its time


def find_browser() -> str:
    """The system's Chromium. Skips if there is none, or fails if one is required."""
    for name in BROWSERS:
        if found := shutil.which(name):
            return found
    reason = f"none of {', '.join(BROWSERS)} is installed: `apt install chromium` or the like"
    if os.environ.get("CI") == "true" or os.environ.get("REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def open_browser() -> Iterator[Browser]:
    program = find_browser()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=QUIET)
        yield browser
        browser.close()


@dataclass
class Visit:
    """A tab, and what went wrong in it."""

    page: Page
    host: str
    faults: list[str] = field(default_factory=list)
    expected: str = "none are"
    """A pattern of faults that the test itself causes."""

    def watch(self) -> None:
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.on("request", self._on_request)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.faults.append(f"console: {message.text}")

    def _on_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in {"blob", "data"} and parts.netloc != self.host:
            self.faults.append(f"request: {request.url}")

    def check(self) -> None:
        assert [fault for fault in self.faults if not re.search(self.expected, fault)] == []


Open = Callable[..., Visit]
"""Opens an address in a new tab, with options of the browser's context."""


def search(page: Page, words: str) -> None:
    page.get_by_label("Describe the moment").fill(words)
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_contain_text("moment")


def cards(page: Page) -> Locator:
    return page.locator("#results .card")


def names(page: Page) -> list[str]:
    return page.locator("#results .name").all_inner_texts()


def playing_at(page: Page) -> float:
    """The player's position in seconds, once it plays."""
    page.wait_for_function("() => video.readyState > 1 && !video.paused && !video.seeking")
    return page.evaluate("video.currentTime")


def sideways(page: Page) -> int:
    """How many pixels the page is too wide."""
    return page.evaluate("document.documentElement.scrollWidth - innerWidth")


def faults_by_axe(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [
        f"{fault['id']}: {fault['nodes'][0]['html']}"
        for fault in found
        if fault["impact"] in {"serious", "critical"}
    ]


def drop(page: Page, name: str, kind: str, data: bytes) -> None:
    page.evaluate(DROP, [base64.b64encode(data).decode(), name, kind])
