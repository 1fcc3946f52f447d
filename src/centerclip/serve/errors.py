"""Turns every error into the same kind of response: `{"error": {"code", "message"}}`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from centerclip.api import ErrorBody
from centerclip.errors import CenterCLIPError, FingerprintError, IndexLockedError, QueryError, VideoError
from centerclip.serve.library import GoneError, Library

__all__ = ["ERRORS", "add_error_handlers", "error_response"]

_LOG = logging.getLogger("centerclip.serve")

_CODES = {
    400: "bad_request",
    401: "token_needed",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_too_slow",
    409: "conflict",
    410: "gone",
    413: "too_large",
    415: "unsupported_file",
    416: "range_not_satisfiable",
    422: "invalid",
    500: "internal",
    503: "busy",
    504: "too_slow",
}
_STATUSES = {
    QueryError: 422,
    VideoError: 415,
    GoneError: 410,
    IndexLockedError: 409,
    FingerprintError: 409,
}
"""Any other error of this package is a temporary failure of the server: 503."""

_RULES = {
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
    "float_parsing": "must be a number",
    "int_parsing": "must be a whole number",
    "string_too_long": "may have at most {max_length} characters",
}
"""What is wrong with a value, by pydantic's name of the fault; it is followed by the value."""

ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody, "description": code.replace("_", " ").capitalize()}
    for status, code in _CODES.items()
    if status not in {405, 416}
}
"""The error responses of every operation, for the OpenAPI document."""


def error_response(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A response with this status and message; the status decides the code."""
    error = {"code": _CODES.get(status, "error"), "message": message}
    return JSONResponse({"error": error}, status, dict(headers) if headers else None)


def add_error_handlers(app: FastAPI, library: Library) -> None:
    """Answer every error in this form; the library removes its folders from messages."""

    async def on_http(request: Request, error: HTTPException) -> JSONResponse:
        return error_response(error.status_code, error.detail, error.headers)

    async def on_invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return error_response(422, "; ".join(_explain(fault) for fault in error.errors()))

    async def on_own(request: Request, error: CenterCLIPError) -> JSONResponse:
        status = next((status for kind, status in _STATUSES.items() if isinstance(error, kind)), 503)
        if status == 503:
            _LOG.warning("%s %s: %s", request.method, request.url.path, error)
        return error_response(status, library.hide_folders(str(error)))

    async def on_fault(request: Request, error: Exception) -> JSONResponse:
        return error_response(500, "internal error: see the server's log")

    handlers: dict[type[Exception], Any] = {
        HTTPException: on_http,
        RequestValidationError: on_invalid,
        CenterCLIPError: on_own,
        Exception: on_fault,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def _explain(fault: Mapping[str, Any]) -> str:
    place = ".".join(str(part) for part in fault["loc"][1:]) or str(fault["loc"][0])
    rule = _RULES.get(fault["type"])
    if rule is None:
        return f"{place}: {fault['msg']}"
    return f"{place} {rule.format(**fault.get('ctx', {}))}, not {str(fault['input'])[:100]!r}"
