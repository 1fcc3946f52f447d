"""Objects in Amazon S3 and stores like it, Google Cloud Storage and Azure, by the package obstore.

Credentials, region and endpoint are those of the environment, as for an index in object storage.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Lock
from time import monotonic
from typing import Any

from centerclip.remote.access import ChangedError
from centerclip.remote.address import Address, Status
from centerclip.remote.aws import SettingError, aws_settings, credential_provider

__all__ = ["BUCKETS", "Buckets"]

_CLIENT = {"timeout": "120s", "connect_timeout": "10s"}
_RETRY = {
    "max_retries": 3,
    "retry_timeout": timedelta(seconds=30),
    "backoff": {"init_backoff": timedelta(seconds=0.2), "max_backoff": timedelta(seconds=3), "base": 2},
}
_LISTED = 1000
_REACHED_SECONDS = 10.0
"""How long a bucket is believed to be there, once it was."""
_VARIABLES = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or AWS_SKIP_SIGNATURE=true",
    "gs": "GOOGLE_SERVICE_ACCOUNT (or GOOGLE_SKIP_SIGNATURE=true)",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
"""What has to be set, by kind of address; a public bucket needs no signature."""


class Buckets:
    """See `Source`. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._stores: dict[tuple[str, str], Any] = {}
        self._reached: dict[tuple[str, str], float] = {}

    def status(self, address: Address) -> Status:
        try:
            with _errors(address):
                return _status(self._store(address).head(address.key))
        except FileNotFoundError:
            self._check(address)  # a store says the same if the whole bucket isn't there
            raise

    def read(self, address: Address, status: Status, start: int, length: int) -> bytes:
        import obstore

        options: obstore.GetOptions = {"range": (start, start + length)}
        if status.tag:
            options["if_match"] = f'"{status.tag}"'
        with _errors(address):
            found = obstore.get(self._store(address), address.key, options=options)
            if found.meta["size"] != status.size_bytes:
                raise ChangedError
            return bytes(found.bytes())

    def whole(self, address: Address, status: Status) -> Iterator[bytes]:
        raise NotImplementedError("every store reads ranges")

    def below(self, address: Address) -> Iterator[Address]:
        import obstore

        top = f"{address.scheme}://{address.container}"
        with _errors(address):
            for page in obstore.list(self._store(address), prefix=address.key or None, chunk_size=_LISTED):
                for each in page:
                    found = Address(f"{top}/{each['path']}")
                    found.status_known = _status(each)
                    yield found

    def sign(self, address: Address, seconds: int) -> str:
        """Return a web address that grants reading an object for a while."""
        import obstore

        with _errors(address):
            return str(obstore.sign(self._store(address), "GET", address.key, timedelta(seconds=seconds)))

    def _check(self, address: Address) -> None:
        """Make sure that a bucket can be listed; raises `OSError`."""
        bucket = (address.scheme, address.container)
        if monotonic() - self._reached.get(bucket, -_REACHED_SECONDS) < _REACHED_SECONDS:
            return
        import obstore

        try:
            with _errors(address):
                next(iter(obstore.list(self._store(address), chunk_size=1)), None)
        except FileNotFoundError:
            raise OSError(5, f"there is no bucket {address.container}") from None
        self._reached[bucket] = monotonic()

    def _store(self, address: Address) -> Any:
        bucket = (address.scheme, address.container)
        with self._lock:
            if bucket not in self._stores:
                self._stores[bucket] = _open(*bucket)
            return self._stores[bucket]


def _open(scheme: str, container: str) -> Any:
    """Return the package's client of a bucket, with the settings of an index in object storage."""
    from obstore.store import from_url

    config: dict[str, str] = {}
    more: dict[str, Any] = {}
    if scheme == "s3":
        try:
            config = aws_settings(container, {})
            keys, provider = credential_provider({})
        except SettingError as error:
            raise OSError(5, str(error)) from None
        config |= keys
        more = {"credential_provider": provider} if provider else {}
    plain = config.get("aws_endpoint", "").startswith("http://")
    connect: Any = from_url
    client = {**_CLIENT, "allow_http": plain}
    return connect(
        f"{scheme}://{container}", config=config, client_options=client, retry_config=_RETRY, **more
    )


BUCKETS = Buckets()


def _status(meta: Any) -> Status:
    tag = (meta["e_tag"] or "").removeprefix("W/").strip('"')
    return Status(int(meta["size"]), meta["last_modified"].timestamp(), tag)


def _short(said: str) -> str:
    """The useful part of the package's message, on one line, without what was sent, which is repeated."""
    text = " ".join(re.split(r"Debug source|<\?xml|<Error>", said)[0].split())
    text = re.sub(r"(https?://[^\s?]*)\?\S*", r"\1", text)
    return (text.partition(" error: ")[2] if text.startswith("Generic ") else text)[:200].rstrip(": ")


@contextmanager
def _errors(address: Address) -> Iterator[None]:
    """Turn errors of the package into those of `centerclip.remote.access`."""
    from obstore import exceptions

    try:
        yield
    except ChangedError:
        raise
    except exceptions.PreconditionError:
        raise ChangedError from None
    except FileNotFoundError as error:  # NotFoundError is one
        if "NoSuchBucket" in str(error):
            raise OSError(5, f"there is no bucket {address.container}") from None
        raise FileNotFoundError(2, "it isn't there", str(address)) from None
    except exceptions.BaseError as error:
        said = str(error)
        if "NoSuchBucket" in said:
            reason = f"there is no bucket {address.container}"
        elif "<Code>ExpiredToken" in said or isinstance(
            error, (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError)
        ):
            reason = f"the store refuses access: check {_VARIABLES[address.scheme]}"
        elif "169.254.169.254" in said or "redential" in said or "metadata" in said:
            reason = f"no credentials: set {_VARIABLES[address.scheme]}"
        else:
            reason = f"the store can't be reached, or failed: {_short(said)}"
        raise OSError(5, reason) from None
