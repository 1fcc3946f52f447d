"""Who may come in, and what browsers may do with what they get: one layer around the whole application.

Against a page of another site that a visitor has open: the host's name is checked (DNS rebinding), requests
that change something must come from the application's own page, and no other site may embed an answer.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Iterable
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from centerclip.serve.problems import Problem, problem_response
from centerclip.serve.settings import Settings

__all__ = ["Guard"]

_COOKIE = "centerclip"
_OPEN = frozenset({"/healthz", "/readyz"})
"""What tells nothing of the library, and is asked by machines without a token."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
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
"""On every answer."""


class Guard:
    """ASGI middleware; see the module.

    Args:
        app: what is guarded.
        settings: the token, the host and the bounds of uploads.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._token = settings.token
        # The cookie proves that its bearer knew the token, without holding it.
        self._pass = hmac.new((self._token or "").encode(), b"centerclip page", "sha256").hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        headers = Headers(scope=scope)
        refused = self._refuse(scope, headers)
        if refused is not None:
            await refused(scope, receive, guarded_send)
        else:
            await self._app(scope, self._bounded(headers, receive), guarded_send)

    def _refuse(self, scope: Scope, headers: Headers) -> Response | None:
        """The answer to a request that may not come in, or that brings its token in the address."""
        host = headers.get("host", "")
        if self._settings.local and _host_name(host) not in _LOCAL_NAMES | {self._settings.host}:
            return problem_response(403, f"this server is not {host[:100]}: use http://127.0.0.1")
        if scope["method"] not in _SAFE and _is_foreign(headers, host):
            return problem_response(403, "requests that change something must come from this server's page")
        if scope["path"] in _OPEN or self._token is None:
            return None
        given = parse_qs(scope["query_string"].decode("latin-1"))
        if scope["method"] == "GET" and "token" in given and self._is_token(given["token"][0]):
            return self._welcome(scope["path"], given)
        if self._shows_token(headers):
            return None
        message = "show the token: `Authorization: Bearer ...`, or open /?token=... once in a browser"
        return problem_response(401, message, {"WWW-Authenticate": "Bearer"})

    def _welcome(self, path: str, given: dict[str, list[str]]) -> Response:
        """Take the token out of the address, so that it stays in no history, and set the cookie."""
        rest = urlencode({name: values for name, values in given.items() if name != "token"}, doseq=True)
        # A second slash at the front would make it the address of another host.
        target = "/" + path.lstrip("/\\") + (f"?{rest}" if rest else "")
        response = RedirectResponse(target, 303)
        response.set_cookie(_COOKIE, self._pass, httponly=True, samesite="strict", max_age=30 * 86400)
        return response

    def _shows_token(self, headers: Headers) -> bool:
        scheme, _, value = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._is_token(value.strip())
        return any(_equal(value, self._pass) for value in _cookies(headers.getlist("cookie")))

    def _is_token(self, value: str) -> bool:
        return _equal(value, self._token or "")

    def _bounded(self, headers: Headers, receive: Receive) -> Receive:
        """Bodies of bounded size that arrive in bounded time."""
        limit, seconds = self._settings.max_upload_bytes, self._settings.upload_seconds
        # Boundaries and names around a file of the size allowed.
        room = limit + 65536
        too_large = Problem(413, f"uploads may have at most {limit >> 20} MiB")
        told = headers.get("content-length", "")
        too_much = told.isdigit() and int(told) > room
        received = 0
        complete = False
        deadline = asyncio.get_running_loop().time() + seconds

        async def bounded() -> Message:
            nonlocal received, complete
            if complete:  # from here on it is a wait for the visitor to leave
                return await receive()
            if too_much:
                raise too_large
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise Problem(408, f"the upload took longer than {seconds:g} seconds") from None
            received += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if received > room:
                raise too_large
            return message

        return bounded


def _equal(value: str, secret: str) -> bool:
    return hmac.compare_digest(value.encode("utf-8", "replace"), secret.encode())


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_foreign(headers: Headers, host: str) -> bool:
    """Whether a browser says that a request comes from another site's page."""
    if headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
        return True
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] != host


def _cookies(headers: Iterable[str]) -> list[str]:
    pairs = [pair.strip().partition("=") for header in headers for pair in header.split(";")]
    return [value for name, _, value in pairs if name == _COOKIE]
