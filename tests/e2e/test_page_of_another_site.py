"""What a page of another site can do to a visitor's server, in the system's Chromium: link to it, no more."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from browsing import open_browser
from playwright.sync_api import Browser, Page, expect
from serving import Served, serve_library

pytestmark = pytest.mark.browser

# Each tells the page's `seen` what it got.
PROBES = """<!doctype html><title>other</title><body><script>
const seen = window.seen = {};
const given = new URLSearchParams(location.search);
const base = given.get("base"), video = given.get("video");
const search = base + "/api/search?q=from-";
const text = (answer) => answer.text(), type = (answer) => answer.type;
function element(tag, attributes) {
  const made = Object.assign(document.createElement(tag), attributes);
  const address = attributes.src ?? attributes.href ?? attributes.data;
  const name = tag + " " + address.slice(base.length, base.length + 8);
  return new Promise((resolve) => {
    const end = (kind) => { seen[name] = kind; resolve(); };
    for (const kind of ["load", "error", "loadedmetadata"]) made.addEventListener(kind, () => end(kind));
    document.body.append(made);
  });
}
async function attempt(name, what) {
  try { seen[name] = await what(); } catch (error) { seen[name] = error.name; }
}
window.done = Promise.all([
  element("img", { src: search + "img" }),
  element("img", { src: base + "/thumbnails/" + video + "?t=0" }),
  element("script", { src: search + "script" }),
  element("script", { src: base + "/static/app.js", type: "module" }),
  element("link", { rel: "stylesheet", href: base + "/static/base.css" }),
  element("video", { src: base + "/media/" + video }),
  element("audio", { src: base + "/excerpts/" + video + "?start=0&end=1" }),
  attempt("fetch", () => fetch(search + "fetch").then(text)),
  attempt("with cookies", () => fetch(search + "c", { credentials: "include" }).then(text)),
  attempt("unread", () => fetch(search + "unread", { mode: "no-cors" }).then(type)),
  attempt("post", () => fetch(base + "/api/index", { method: "POST", mode: "no-cors" }).then(type)),
  attempt("beacon", async () => navigator.sendBeacon(base + "/api/search", new FormData())),
  element("iframe", { src: search + "iframe" }),
  element("iframe", { src: base + "/?q=from-page" }),
  element("object", { data: search + "object" }),
]);
</script>
<a id="page" href="">page</a> <a id="data" href="">data</a>
<script>page.href = base + "/?q=a+red+car"; data.href = base + "/api/stats";</script>
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve_library(tmp_path_factory.mktemp("served")) as served:
        yield served


@pytest.fixture(scope="module")
def other_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Another site on this machine."""
    folder = tmp_path_factory.mktemp("other")
    (folder / "index.html").write_text(PROBES, encoding="utf-8")
    with other_site(folder) as port:
        yield port


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def other_site(folder: Path) -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@dataclass(frozen=True)
class Foreign:
    """The other site's page after it has tried everything, and the statuses of the answers to it."""

    page: Page
    statuses: Counter[str]


@pytest.fixture(params=["localhost", "127.0.0.1"])  # another site, and another origin of the same site
def foreign(
    request: pytest.FixtureRequest, browser: Browser, served: Served, other_port: int
) -> Iterator[Foreign]:
    page, before = browser.new_page(), statuses(served)
    base, video = str(served.http.base_url).rstrip("/"), served.id_of("blue.mp4")
    page.goto(f"http://{request.param}:{other_port}/?base={base}&video={video}")
    page.evaluate("window.done")
    yield Foreign(page, statuses(served) - before)
    page.close()


def statuses(served: Served) -> Counter[str]:
    """The number of requests by status, without those for this."""
    text = served.http.get("/metrics").text
    found = re.findall(r'centerclip_requests_total{.*route="(?!/metrics).*status="(\d+)"} ([\d.]+)', text)
    counted: Counter[str] = Counter()
    for status, number in found:
        counted[status] += int(float(number))
    return counted


def test_a_page_of_another_site_gets_nothing_and_starts_nothing(foreign: Foreign) -> None:
    seen = foreign.page.evaluate("window.seen")
    assert len(seen) == 15
    for name, got in seen.items():
        if not name.startswith(("iframe", "object")):
            assert got in {"error", "TypeError", "opaque"} or (name, got) == ("beacon", True), name
    for frame in foreign.page.frames[1:]:  # shows the browser's own error page, or nothing
        assert "hits" not in frame.content()
        assert "CenterCLIP" not in frame.content()
    assert set(foreign.statuses) == {"403"}
    assert foreign.statuses["403"] >= 12  # a browser may ask once for two


def test_a_link_opens_the_page_but_no_data(foreign: Foreign, served: Served) -> None:
    page, address = foreign.page, foreign.page.url
    page.click("#page")
    expect(page.locator("#status")).to_contain_text("moment")
    page.goto(address)
    with page.expect_navigation():
        page.click("#data")
    assert "pages of other sites can't use this server" in page.content()
    page.goto(f"{served.http.base_url}/api/stats")  # typed by the visitor
    assert '"videos":4' in page.content()
