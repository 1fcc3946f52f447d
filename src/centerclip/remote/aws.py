"""Settings of S3 that AWS keeps outside of this program: environment variables and the files in `~/.aws`.

The store (lancedb) finds credentials by itself, also those of profiles; the client of single objects
(obstore) knows only the environment. What is found here makes both use the same.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from configparser import Error, RawConfigParser
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["CLIENT", "OF_THE_STORE", "SettingError", "aws_name", "aws_settings", "credential_provider"]

_REGIONS = "https://s3.amazonaws.com"
"""Where AWS tells anybody the region of a bucket."""
_SECONDS = 10
_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
_OF_CREDENTIALS = {"aws_access_key_id", "aws_skip_signature", "aws_web_identity_token_file"}
_ELSEWHERE = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
"""Variables that name credentials, which obstore reads."""

CLIENT = {
    "allow_http",
    "allow_invalid_certificates",
    "connect_timeout",
    "http1_only",
    "http2_only",
    "pool_idle_timeout",
    "pool_max_idle_per_host",
    "proxy_ca_certificate",
    "proxy_excludes",
    "proxy_url",
    "timeout",
    "user_agent",
}
"""Options about connections, which obstore wants apart from the others."""
OF_THE_STORE = re.compile(r"client_|download_retry|new_table_|lance_|s3_express|object_store_")
"""Options that only lancedb knows."""
_ALIASES = {"endpoint_url": "endpoint", "endpoint_url_s3": "endpoint", "token": "session_token"}


class SettingError(Exception):
    """A profile or one of the files in `~/.aws` can't be used."""


def aws_name(name: str) -> str:
    """Return the full name of an option: where two names mean the same, lancedb picks one at random."""
    short = name.lower().removeprefix("aws_")
    if short in CLIENT or OF_THE_STORE.match(short):
        return short
    return f"aws_{_ALIASES.get(short, short)}"


def aws_settings(bucket: str, options: Mapping[str, str]) -> dict[str, str]:
    """Return the region and the endpoint that the options leave open, as far as they are known.

    Raises:
        SettingError: the profile doesn't exist, or a file in `~/.aws` can't be read.
    """
    found: dict[str, str] = {}
    profile = _profile()
    if "aws_endpoint" not in options:
        variables = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT", "AWS_ENDPOINT_URL")
        if endpoint := _variable(*variables) or profile.get("endpoint_url"):
            found["aws_endpoint"] = endpoint
    if not options.keys() & {"aws_region", "aws_default_region"}:
        region = _variable("AWS_REGION", "AWS_DEFAULT_REGION") or profile.get("region")
        if not region and "aws_endpoint" not in {*found, *options}:
            region = _ask_region(bucket)
        if region:
            found["aws_region"] = region
    return found


def credential_provider(options: Mapping[str, str]) -> tuple[dict[str, str], Any]:
    """Return the keys of the profile, or else a function that obtains temporary ones; neither if not needed.

    Raises:
        SettingError: the profile can't be used.
    """
    if options.keys() & _OF_CREDENTIALS or any(os.environ.get(name) for name in _ELSEWHERE):
        return {}, None
    profile = _profile()
    keys = {name: profile[name] for name in _KEYS if name in profile}
    if "aws_access_key_id" in keys and "role_arn" not in profile:
        return keys, None
    if not profile.keys() & {"role_arn", "sso_session", "sso_start_url", "credential_process"}:
        return {}, None  # the machine's own role, if it has one
    if find_spec("boto3") is None:
        raise SettingError(
            f"the AWS profile {_name()!r} needs boto3 for its credentials: pip install boto3, or set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    from obstore.auth.boto3 import Boto3CredentialProvider

    return {}, Boto3CredentialProvider()


def _variable(*names: str) -> str | None:
    return next((value for name in names if (value := os.environ.get(name))), None)


def _name() -> str:
    return _variable("AWS_PROFILE", "AWS_DEFAULT_PROFILE") or "default"


def _profile() -> dict[str, str]:
    """Return what both files say about the chosen profile."""
    name = _name()
    found: dict[str, str] = {}
    for variable, file, section in (
        ("AWS_CONFIG_FILE", "config", name if name == "default" else f"profile {name}"),
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials", name),
    ):
        path = Path(os.environ.get(variable) or f"~/.aws/{file}").expanduser()
        parser = RawConfigParser(strict=False)
        try:
            parser.read(path, encoding="utf-8")
        except (Error, OSError, UnicodeDecodeError):  # whose messages may quote a key
            raise SettingError(
                f"the file {path} can't be read: correct it, or name another one with {variable}"
            ) from None
        if parser.has_section(section):
            found |= dict(parser.items(section))
    if not found and name != "default":
        raise SettingError(
            f"there is no AWS profile {name!r} in ~/.aws/config or ~/.aws/credentials: correct AWS_PROFILE"
        )
    return found


def _ask_region(bucket: str) -> str | None:
    """Ask AWS for the region of a bucket, which needs no permission; None if it doesn't say."""
    import urllib.error
    import urllib.request

    request = urllib.request.Request(f"{_REGIONS}/{bucket}", method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # nosec B310
            headers = answer.headers
    except urllib.error.HTTPError as error:  # it says so even where it refuses
        headers = error.headers
        error.close()
    except (OSError, ValueError):
        return None
    region = headers.get("x-amz-bucket-region")
    return str(region) if region else None
