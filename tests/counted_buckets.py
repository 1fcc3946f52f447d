"""A server of buckets that counts what it is asked, and refuses what it is told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import boto3
import pytest
from buckets import make_store, serve

REGION = "us-east-1"


@dataclass
class Buckets:
    """The server; `requests` are the methods and paths that it was asked for."""

    address: str
    client: Any
    requests: list[str] = field(default_factory=list)
    refuses: Callable[[str], bool] = lambda request: False
    """Which requests it answers with 403."""

    def make(self, name: str) -> str:
        """Make a bucket, and return its address."""
        self.client.create_bucket(Bucket=name)
        return f"s3://{name}"

    def names(self, bucket: str) -> list[str]:
        listed = self.client.list_objects_v2(Bucket=bucket).get("Contents", [])
        return sorted(each["Key"] for each in listed)


@contextmanager
def serve_buckets() -> Iterator[Buckets]:
    """Run the server; the store and obstore find it by the environment, also in child processes."""
    store = make_store()
    served: list[Buckets] = []

    def application(environ: WSGIEnvironment, start: StartResponse) -> Any:
        asked = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        for buckets in served:
            buckets.requests.append(asked)
            if buckets.refuses(asked):
                start("403 Forbidden", [("Content-Length", "0")])
                return [b""]
        return store(environ, start)

    with serve(application) as address, pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "anything")
        patch.setenv("AWS_REGION", REGION)
        patch.setenv("AWS_ENDPOINT_URL", address)
        client = boto3.client("s3", region_name=REGION, endpoint_url=address)
        buckets = Buckets(address, client)
        served.append(buckets)
        try:
            yield buckets
        finally:
            client.close()
