"""An address in object storage: how it is reached, and what went wrong there, in words for its user.

Nothing that is secret gets into a message: bodies and query strings of requests are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cached_property, partial
from typing import Any
from urllib.parse import urlsplit

from centerclip.errors import IndexStoreError
from centerclip.remote.aws import (
    CLIENT,
    OF_THE_STORE,
    SettingError,
    aws_name,
    aws_settings,
    credential_provider,
)

__all__ = ["AccessError", "Bucket", "explain", "is_refusal", "reason_of", "refusal"]

_SCHEMES = ("s3", "gs", "az")
RETRY = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}
"""How often a request is repeated that failed."""
_DEFAULTS = {"connect_timeout": "5s", "timeout": "30s"}


class Bucket:
    """A prefix of a bucket.

    Args:
        location: such as `s3://bucket/prefix`.
        options: settings by the names that the store uses, such as `region`, in place of those in the
            environment.

    Raises:
        IndexStoreError: the address or an option can't be used.
    """

    def __init__(self, location: str, options: Mapping[str, str] | None = None) -> None:
        parts = urlsplit(location)
        if "@" in parts.netloc:
            raise IndexStoreError(
                "the address of an index must not contain credentials: set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY instead"
            )
        if parts.scheme not in _SCHEMES or not parts.netloc or parts.query or parts.fragment:
            raise IndexStoreError(
                f"{location.split('?')[0]} isn't an address of an index: it should look like "
                f"s3://bucket/prefix, with one of {', '.join(_SCHEMES)}"
            )
        self.location = location
        self.name = parts.netloc
        self._is_s3 = parts.scheme == "s3"
        names = aws_name if self._is_s3 else str.lower
        self._given = {names(name): value for name, value in (options or {}).items()}

    @cached_property
    def options(self) -> dict[str, str]:
        """All options that aren't the store's defaults, for lancedb."""
        options = dict(self._given)
        if self._is_s3:
            try:
                options |= aws_settings(self.name, options)
            except SettingError as error:
                raise IndexStoreError(str(error)) from None
        endpoints = [value for name, value in options.items() if name.endswith("endpoint")]
        if any(value.startswith("http://") for value in endpoints):
            options.setdefault("allow_http", "true")
        return options

    @cached_property
    def objects(self) -> Any:
        """Obstore's client of the objects below this prefix."""
        from obstore.exceptions import BaseError
        from obstore.store import from_url

        options = {name: value for name, value in self.options.items() if not OF_THE_STORE.match(name)}
        client = {name: options.pop(name) for name in CLIENT & options.keys()}
        try:
            keys, provider = credential_provider(options) if self._is_s3 else ({}, None)
        except SettingError as error:
            raise IndexStoreError(str(error)) from None
        more = {"credential_provider": provider} if provider else {}
        connect: Any = from_url
        try:
            return connect(
                self.location,
                config=options | keys,
                client_options=_DEFAULTS | client,
                retry_config=RETRY,
                **more,
            )
        except (BaseError, ValueError) as error:
            raise refusal(self.location, "being opened", error) from error

    def names(self) -> set[str]:
        """Return the names of folders and objects directly below the prefix.

        Raises:
            IndexStoreError: the bucket can't be listed; the message says which setting is missing.
        """
        import obstore

        found = self._asked("being opened", lambda: obstore.list_with_delimiter(self.objects))
        paths = [*found["common_prefixes"], *(each["path"] for each in found["objects"])]
        return {path.rstrip("/").rpartition("/")[2] for path in paths if path}

    def sizes(self) -> dict[str, int]:
        """Return the names and sizes of all objects, one request per thousand.

        Raises:
            IndexStoreError: they can't be listed.
        """
        import obstore

        pages = self._asked("being listed", lambda: list(obstore.list(self.objects)))
        return {each["path"]: each["size"] for page in pages for each in page}

    def read_changed(self, name: str, known: str | None) -> tuple[bytes, str] | None:
        """Return an object's content and its tag; None if it still has the tag `known`. One request.

        Raises:
            FileNotFoundError: there is no such object.
            IndexStoreError: it can't be read.
        """
        import obstore

        options: Any = {} if known is None else {"if_none_match": known}

        def get() -> tuple[bytes, str] | None:
            try:
                found = obstore.get(self.objects, name, options=options)
            except obstore.exceptions.NotModifiedError:
                return None
            return bytes(found.bytes()), found.meta["e_tag"] or ""

        answer: tuple[bytes, str] | None = self._asked("being read", get)
        return answer

    def read(self, name: str) -> bytes:
        """Return an object's content; raises as `read_changed` does."""
        import obstore

        return bytes(self._asked("being read", lambda: obstore.get(self.objects, name).bytes()))

    def read_range(self, name: str, start: int, end: int) -> bytes:
        """Return a part of an object's content; raises as `read_changed` does."""
        import obstore

        look = partial(obstore.get_range, self.objects, name, start=start, end=end)
        return bytes(self._asked("being read", look))

    def write(self, name: str, content: bytes) -> None:
        """Replace an object: all of it or nothing.

        Raises:
            IndexStoreError: it can't be written.
        """
        import obstore

        self._asked("being written", lambda: obstore.put(self.objects, name, content))

    def _asked(self, doing: str, ask: Callable[[], Any]) -> Any:
        from obstore.exceptions import BaseError

        try:
            return ask()
        except (BaseError, OSError, ValueError) as error:
            if isinstance(error, FileNotFoundError) and not is_refusal(error):
                raise
            raise refusal(self.location, doing, error) from error


class AccessError(IndexStoreError):
    """Object storage refused a request or didn't answer, which says nothing about the index."""


def refusal(location: str, doing: str, error: BaseException) -> AccessError:
    """Return the error that a request failed while `doing` something; it names the setting to look at."""
    return AccessError(f"the index {location} failed while {doing}: {_reason(location, error)}")


def explain(location: str, doing: str, error: BaseException) -> IndexStoreError:
    """Return the error that the index failed while `doing` something; a `refusal` if that is the cause."""
    found = refusal(location, doing, error)
    return found if is_refusal(error) else IndexStoreError(str(found))


def is_refusal(error: BaseException) -> bool:
    """Whether the store failed for a reason outside of its files, so that nothing may be deemed damaged."""
    return isinstance(error, AccessError) or _setting("", f"{type(error).__name__}: {error}") is not None


def reason_of(error: BaseException) -> str:
    """Return the useful part of the store's message, on one line, without details of requests."""
    text = re.split(r"\nDebug source|<\?xml|<Error>", str(error))[0]
    text = re.sub(r"(https?://[^\s?]*)\?\S*", r"\1", " ".join(text.split()))
    text = re.sub(r"^((Invalid input|lance error|Not supported|Schema error)[,:] )+", "", text)
    return re.split(r"\. Valid fields|, /", text)[0].rstrip(".: ")[:300]


def _reason(location: str, error: BaseException) -> str:
    text = f"{type(error).__name__}: {error}"
    return _setting(location, text) or (
        f"{reason_of(error)}. Check that the bucket can be reached and written; then run the command again. "
        "If that doesn't help, run `centerclip repair`"
    )


_NO_KEYS = re.compile(
    r"169\.254\.169\.254|/latest/(api/token|meta-data)|Missing ?(AccessKey|SecretAccessKey)|"
    r"get AWS credentials|no providers in chain"
)
_BAD_REGION = re.compile(
    r"incorrectly configured region|AuthorizationHeaderMalformed|PermanentRedirect|IllegalLocationConstraint"
)
_REFUSED = re.compile(r"status code: 40[13]\b|<Code>(AccessDenied|InvalidAccessKeyId|ExpiredToken)")
_UNREACHABLE = re.compile(
    r"error sending request|operation timed out|dns error|tcp connect|connection closed", re.I
)
_FAILING = re.compile(r"status code: (429|5\d\d)")


def _setting(location: str, text: str) -> str | None:
    """Say in one line which setting to look at; None if the error is about something else."""
    asked = _first(r"\bhttps?://[^/\s?\"',]+", text) or "the endpoint"
    bucket = urlsplit(location).netloc
    if "UnknownConfigurationKey" in text:
        name = _first(r"key: '([^']*)'", text).removeprefix("aws_")
        return f"there is no storage option {name!r}; common ones are region, endpoint and access_key_id"
    if "NoSuchBucket" in text:
        return f"{asked} has no bucket {bucket!r}. Check the address, and the endpoint (AWS_ENDPOINT_URL)"
    if _NO_KEYS.search(text):
        return "no credentials were found. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
    if "MissingAccount" in text:
        return "no account is set. Set AZURE_STORAGE_ACCOUNT_NAME, or --storage-option account_name=NAME"
    if _BAD_REGION.search(text):
        return (
            f"the bucket {bucket!r} isn't in the region that is set. Set AWS_REGION, or "
            "--storage-option region=NAME"
        )
    code = _first(r"<Code>(\w+)</Code>", text)
    if _REFUSED.search(text):
        return (
            f"{asked} refused access to the bucket {bucket!r} ({code or 'forbidden'}). Check the "
            "credentials, and what they allow"
        )
    if failing := _FAILING.search(text):
        return f"{asked} is failing ({code or failing[1]}). Try again later"
    if _UNREACHABLE.search(text):
        return f"{asked} can't be reached. Check the network, and the endpoint (AWS_ENDPOINT_URL)"
    return None


def _first(pattern: str, text: str) -> str:
    return next(iter(re.findall(pattern, text)), "")
