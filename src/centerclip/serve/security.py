"""Decides who may use the application and what browsers may do with its responses, in two layers around it.

They protect a visitor who has pages of other sites open: the host name is checked (DNS rebinding), pages of
other sites can only link to the application's pages, and no other site can embed a response.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from centerclip.serve.errors import error_response
from centerclip.serve.settings import ServerSettings

__all__ = ["Guard", "SecurityHeaders"]

_COOKIE = "centerclip"
_OPEN = frozenset({"/healthz", "/readyz"})
"""These reveal nothing about the library; monitoring asks for them without a token."""
_OPEN_FOLDER = "/static/"
"""The program's own files, which the page that asks for the token needs."""
_TOKEN_PAGE = Path(__file__).with_name("static") / "token.html"
_WRONG_TOKEN = '<p role="alert">This token is wrong. It is what CENTERCLIP_TOKEN was set to.</p>'
_LONGEST_FORM = 4096
_PAGES = frozenset({"/", "/docs"})
"""What other sites may link to. Everything else answers only these pages, and programs."""
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "media-src 'self' blob:; connect-src 'self'; font-src 'self'; manifest-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""On every response."""


class SecurityHeaders:
    """The outer layer: every response has the headers, also those of the application's error handling."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, send_with_headers)


class Guard:
    """The inner layer: refuses requests.

    Args:
        app: the application to protect.
        settings: the token, the host and the limits on uploads.
    """

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self._app = app
        self._settings = settings
        self._token = settings.token
        # The cookie proves that the visitor knew the token, without containing it.
        self._pass = hmac.new((self._token or "").encode(), b"centerclip page", "sha256").hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = self._refuse(scope, headers)
        if refused is not None and refused.status_code == 401 and _wants_page(scope, headers):
            refused = await self._ask(scope, self._limited(headers, receive))
        if refused is not None:
            await refused(scope, receive, send)
        else:
            await self._app(scope, self._limited(headers, receive), send)

    def _refuse(self, scope: Scope, headers: Headers) -> Response | None:
        """The response to a request that is refused or has the token in its address; None lets it in."""
        host = headers.get("host", "")
        if self._settings.local and _host_name(host) not in _LOCAL_NAMES | {self._settings.host}:
            return error_response(403, f"this server isn't {host[:100]!r}: use http://127.0.0.1")
        if _is_foreign(headers, host) and not _is_link(scope, headers):
            return error_response(403, "pages of other sites can't use this server: use its own page")
        path = scope["path"]
        if path in _OPEN or path.startswith(_OPEN_FOLDER) or self._token is None:
            return None
        query = parse_qs(scope["query_string"].decode("latin-1"))
        if scope["method"] == "GET" and "token" in query and self._is_token(query["token"][0]):
            return self._admit(path, query)
        if self._has_token(headers):
            return None
        message = (
            "token missing: send `Authorization: Bearer TOKEN`, or open the page in a browser and enter it"
        )
        return error_response(401, message, {"WWW-Authenticate": "Bearer"})

    async def _ask(self, scope: Scope, receive: Receive) -> Response:
        """The page that asks for the token, or what follows if the request is its form with the right one."""
        sent = scope["method"] == "POST"
        if sent:
            body = b""
            try:
                async for part in Request(scope, receive).stream():
                    body += part
                    if len(body) > _LONGEST_FORM:
                        break
            except HTTPException as error:
                return error_response(error.status_code, error.detail)
            form = parse_qs(body.decode("latin-1"))
            if self._is_token(form.get("token", [""])[0].strip()):
                return self._admit(scope["path"], parse_qs(scope["query_string"].decode("latin-1")))
        page = _TOKEN_PAGE.read_text(encoding="utf-8")
        page = page.replace("<!-- alert -->", _WRONG_TOKEN if sent else "")
        return HTMLResponse(page, 401, {"WWW-Authenticate": "Bearer"})

    def _admit(self, path: str, query: dict[str, list[str]]) -> Response:
        """Set the cookie, and redirect to an address without the token, to keep it out of the history."""
        rest = urlencode({name: values for name, values in query.items() if name != "token"}, doseq=True)
        # Relative, because only a proxy knows the folder that the page is in; and never another host's.
        target = "./" + path.rpartition("/")[2] + (f"?{rest}" if rest else "")
        response = RedirectResponse(target, 303)
        response.set_cookie(_COOKIE, self._pass, httponly=True, samesite="strict", max_age=30 * 86400)
        return response

    def _has_token(self, headers: Headers) -> bool:
        scheme, _, value = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._is_token(value.strip())
        return any(_equal(value, self._pass) for value in _cookies(headers.getlist("cookie")))

    def _is_token(self, value: str) -> bool:
        return _equal(value, self._token or "")

    def _limited(self, headers: Headers, receive: Receive) -> Receive:
        """Limit the size of a request's body and the time in which it has to arrive."""
        limit, seconds = self._settings.max_upload_bytes, self._settings.upload_seconds
        # The form around a file of the maximum size: boundaries and names.
        room = limit + 65536
        too_large = HTTPException(413, f"an upload may have at most {limit >> 20} MiB")
        length = headers.get("content-length", "")
        too_much = length.isdigit() and int(length) > room
        received = 0
        complete = False
        deadline = asyncio.get_running_loop().time() + seconds

        async def limited() -> Message:
            nonlocal received, complete
            if complete:  # from here on, the application waits for the visitor to disconnect
                return await receive()
            if too_much:
                raise too_large
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, f"the upload took longer than {seconds:g} seconds") from None
            received += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if received > room:
                raise too_large
            return message

        return limited


def _equal(value: str, secret: str) -> bool:
    return hmac.compare_digest(value.encode("utf-8", "replace"), secret.encode())


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_foreign(headers: Headers, host: str) -> bool:
    """Whether the browser says that the request comes from another site's page."""
    if site := headers.get("sec-fetch-site"):  # no page can forge it, and no proxy changes it
        return site not in {"same-origin", "none"}
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] != host


def _wants_page(scope: Scope, headers: Headers) -> bool:
    """Whether a browser opens one of the pages, or sends the form of the page that asks for the token."""
    if scope["path"] not in _PAGES:
        return False
    if scope["method"] == "POST":
        return headers.get("content-type", "").partition(";")[0] == "application/x-www-form-urlencoded"
    return scope["method"] == "GET" and "text/html" in headers.get("accept", "")


def _is_link(scope: Scope, headers: Headers) -> bool:
    """Whether a browser opens one of the pages in a tab of its own, as it does for a link."""
    opens = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document")
    return opens and scope["method"] == "GET" and scope["path"] in _PAGES


def _cookies(headers: Iterable[str]) -> list[str]:
    pairs = [pair.strip().partition("=") for header in headers for pair in header.split(";")]
    return [value for name, _, value in pairs if name == _COOKIE]
