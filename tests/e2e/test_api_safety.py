"""Who may use the server, and what browsers may do with its responses, over HTTP."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from serving import Served, serve_library

from centerclip.serve.library import Library
from centerclip.serve.security import Guard

TOKEN = "a-token-of-our-own-123"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve_library(tmp_path_factory.mktemp("open")) as served:
        yield served


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with a token."""
    with serve_library(tmp_path_factory.mktemp("closed"), token=TOKEN) as served:
        yield served


def test_the_token_is_needed(closed: Served) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
        for path in (
            "/",
            "/api/stats",
            "/docs",
            "/openapi.json",
            "/metrics",
            "/media/x",
        ):
            answer = closed.http.get(path, headers=headers)
            assert answer.status_code == 401, path
            assert answer.json()["error"]["code"] == "token_needed"
            assert answer.headers["www-authenticate"] == "Bearer"
    assert closed.http.get("/api/stats", headers={"Authorization": f"bearer {TOKEN}"}).status_code == 200
    assert closed.http.get("/healthz").status_code == 200
    assert closed.http.get("/static/base.css").status_code == 200  # the page that asks for the token needs it


def test_a_browser_sends_the_token_once(closed: Served, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with httpx.Client(base_url=closed.http.base_url) as browser:
        assert browser.get("/?token=wrong").status_code == 401
        answer = browser.get(f"/?q=a+dog&token={TOKEN}")
        assert (answer.status_code, answer.headers["location"]) == (303, "./?q=a+dog")
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert TOKEN not in cookie
        assert browser.get("/api/stats").status_code == 200
    logged = "".join(record.getMessage() for record in caplog.records if record.name != "httpx")
    assert "GET /api/stats 200" in logged
    assert TOKEN not in logged
    assert "a+dog" not in logged
    with httpx.Client(base_url=closed.http.base_url, cookies={"centerclip": "0" * 64}) as other:
        assert other.get("/api/stats").status_code == 401
    answer = httpx.get(f"{closed.http.base_url}//evil.example/?token={TOKEN}")
    target = urljoin(str(answer.url), answer.headers.get("location", "/"))
    assert urlsplit(target).netloc == closed.http.base_url.netloc.decode()  # never to another site


def test_browsers_get_a_form_for_the_token_and_programs_an_error(closed: Served) -> None:
    page = {"Accept": "text/html,*/*", "Sec-Fetch-Site": "none"}
    for path in ("/", "/docs?x=1"):
        answer = closed.http.get(path, headers=page)
        assert answer.status_code == 401
        assert '<form method="post"' in answer.text
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert closed.http.get("/api/stats", headers=page).json()["error"]["code"] == "token_needed"
    own = {"Sec-Fetch-Site": "same-origin"}
    sent = httpx.post(f"{closed.http.base_url}/?q=a+dog", data={"token": TOKEN}, headers=own)
    assert (sent.status_code, sent.headers["location"]) == (303, "./?q=a+dog")
    assert "httponly" in sent.headers["set-cookie"].lower()
    for wrong in ({"token": "wrong"}, {}, {"token": TOKEN + "x" * 100_000}):
        answer = closed.http.post("/", data=wrong, headers=own)
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}):
        assert closed.http.post("/", data={"token": TOKEN}, headers=headers).status_code == 403


def test_only_the_names_of_this_machine_are_accepted(served: Served) -> None:
    for host in ("evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "[::1"):
        assert served.http.get("/api/stats", headers={"Host": host}).status_code in {400, 403}, host
    for host in ("localhost:8000", "127.0.0.1", "[::1]:80", "LOCALHOST"):
        assert served.http.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 202),
        ({}, 202),
    ],
)
def test_only_the_page_itself_may_change_something(served: Served, headers: dict, status: int) -> None:
    answer = served.http.post("/api/index", json={}, headers=headers)
    assert answer.status_code == status
    if status == 202:
        for _ in served.http.get(f"/api/index/{answer.json()['job']}/events").iter_lines():
            pass


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_pages_of_other_sites_can_only_link_to_the_pages(served: Served, site: str) -> None:
    video = served.id_of("blue.mp4")
    data = [
        f"/media/{video}",
        f"/thumbnails/{video}",
        f"/excerpts/{video}?start=0&end=1",
        f"/api/videos/{video}",
    ]
    data += ["/api/search?q=a", "/api/stats", "/api/index/x/events", "/openapi.json", "/metrics", "/healthz"]
    link = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    for path in (*data, "/static/app.js", "/", "/docs", "/nothing"):
        for headers in (link, link | {"Sec-Fetch-Dest": "iframe"}, link | {"Sec-Fetch-Mode": "no-cors"}):
            allowed = headers == link and path in {"/", "/docs"}
            answer = served.http.get(path, headers=headers)
            assert (answer.status_code == 200) == allowed, (path, headers)
            assert allowed or answer.json()["error"]["code"] == "forbidden"
    for headers in ({}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}):
        assert served.http.get("/api/search?q=a", headers=headers).status_code == 200
    assert served.http.post("/", headers=link).status_code == 403


def test_every_response_restricts_the_browser(served: Served) -> None:
    for path in ("/", "/docs", "/static/base.css", "/api/stats", "/api/nothing", f"/media/{'0' * 32}"):
        headers = served.http.get(path).headers
        policy = dict(
            part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";")
        )
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["connect-src"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in headers


def test_faults_of_the_server_restrict_the_browser_too(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(*args: object) -> None:
        raise ZeroDivisionError

    def check() -> None:
        # The server closes the connection after a fault, which a client may notice only at its next request.
        answer = served.http.get("/api/stats", headers={"Connection": "close"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"

    with monkeypatch.context() as patched:
        patched.setattr(Library, "stats", fault)
        check()
    with monkeypatch.context() as patched:
        patched.setattr(Guard, "_refuse", fault)  # in a layer around the application
        check()
    with socket.create_connection(
        (served.http.base_url.host, served.http.base_url.port or 80), timeout=60
    ) as line:
        line.sendall(b"what is this\r\n\r\n")
        answer = line.recv(65536)
        assert answer.startswith(b"HTTP/1.1 400 Bad Request")
        assert b"content-security-policy: default-src 'none'" in answer


def test_all_errors_are_json(served: Served) -> None:
    for method, path, status in (
        ("GET", "/nothing", 404),
        ("PUT", "/api/search", 405),
        ("GET", "/static/nothing.js", 404),
        ("POST", "/api/search", 422),
        ("POST", "/api/index", 422),
        ("DELETE", "/api/index/nothing", 404),
    ):
        answer = served.http.request(method, path)
        assert answer.status_code == status, (method, path)
        assert set(answer.json()["error"]) == {"code", "message"}


def test_the_documentation_needs_no_other_host(served: Served) -> None:
    page = served.http.get("/docs").text
    assert "http://" not in page
    assert "https://" not in page
    for part in ("docs.css", "docs.js"):
        assert served.http.get(f"/static/docs/{part}").status_code == 200
    described = served.http.get("/openapi.json").json()
    assert {"/api/search", "/api/videos", "/api/index", "/media/{video_id}"} <= set(described["paths"])
