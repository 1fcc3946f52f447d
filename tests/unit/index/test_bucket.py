"""How an index in object storage is reached, and what is said if it can't be."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from buckets import KEY, Storage, answering, serve
from random_videos import CARD, new_index, random_video

from centerclip.cli import main
from centerclip.errors import IndexStoreError
from centerclip.index import VideoIndex, bucket, examine, repair
from centerclip.index.bucket import Bucket
from centerclip.remote import aws


@pytest.fixture
def place(storage: Storage, request: pytest.FixtureRequest) -> str:
    return f"s3://{storage.bucket(request.node.name)}/index"


@pytest.fixture
def options(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What names the server, while the environment says nothing."""
    for name in ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    return storage.options


def message_of(location: str, **options: str) -> str:
    """Open an index that can't be opened; return why, in one line without secrets."""
    for function in (VideoIndex, examine, repair):
        with pytest.raises(IndexStoreError) as caught:
            function(location, storage_options=options)
        assert "\n" not in str(caught.value)
        assert KEY not in str(caught.value)
    return str(caught.value)


def test_options_take_the_place_of_the_environment(
    place: str, options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    index = VideoIndex(place, storage_options=options)
    index.bind(CARD)
    with index.writer() as writer:
        writer.add([random_video("/v/0.mp4")])
        writer.finish()
    for name in ("AWS_ENDPOINT", "AWS_ENDPOINT_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    upper = {f"AWS_{name}".upper(): value for name, value in options.items()}
    assert len(VideoIndex(place, create=False, storage_options=upper)) == 2
    assert {report.state for report in repair(place, storage_options=options)} == {"good"}


@pytest.mark.parametrize("kind", ["keys", "role"])
def test_profiles(
    kind: str, place: str, options: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, credentials = tmp_path / "config", tmp_path / "credentials"
    endpoint = f"region = us-east-1\nendpoint_url = {options['endpoint']}\n"
    keys = f"aws_access_key_id = anything\naws_secret_access_key = {KEY}\n"
    config.write_text(f"[default]\nregion = nowhere\n[profile mine]\n{endpoint}")
    if kind == "keys":
        credentials.write_text(f"[mine]\n{keys}")
    else:
        key = '{"Version": 1, "AccessKeyId": "anything", "SecretAccessKey": "secret"}'
        config.write_text(f"[profile mine]\n{endpoint}credential_process = echo '{key}'\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    monkeypatch.setenv("AWS_PROFILE", "mine")
    assert len(new_index(place, random_video("/v/0.mp4"))) == 2
    monkeypatch.setenv("AWS_PROFILE", "yours")
    assert "there is no AWS profile 'yours' in ~/.aws/config" in message_of(place)
    credentials.write_text(f"{KEY}\n")
    assert f"the file {credentials} can't be read" in message_of(place)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        ("403 Forbidden", "AccessDenied", "refused access to the bucket 'abc' (AccessDenied). Check the"),
        ("403 Forbidden", "SignatureDoesNotMatch", "(SignatureDoesNotMatch). Check the credentials"),
        ("400 Bad Request", "ExpiredToken", "(ExpiredToken). Check the credentials"),
        (
            "400 Bad Request",
            "AuthorizationHeaderMalformed",
            "isn't in the region that is set",
        ),
        ("301 Moved Permanently", "PermanentRedirect", "isn't in the region that is set"),
        ("404 Not Found", "NoSuchBucket", "has no bucket 'abc'. Check the address, and the endpoint"),
        ("503 Slow Down", "SlowDown", "is failing (SlowDown). Try again later"),
        ("418 Teapot", "Teapot", "Check that the bucket can be reached and written"),
    ],
)
def test_what_the_store_says(
    storage: Storage, status: str, code: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket, "RETRY", {"max_retries": 0})
    with serve(answering(status, code)(storage.application)) as address:
        message = message_of("s3://abc/index", endpoint=address)
    assert expected in message
    assert "s3://abc/index" in message


def test_what_is_missing(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "RETRY", {"max_retries": 0})
    assert f"{storage.address} has no bucket 'absent'" in message_of("s3://absent/index")
    assert "http://127.0.0.1:9 can't be reached. Check the network" in message_of(
        "s3://abc/index", endpoint="http://127.0.0.1:9"
    )
    assert "there is no storage option 'regoin'" in message_of("s3://abc/index", regoin="x")
    assert "no account is set. Set AZURE_STORAGE_ACCOUNT_NAME" in message_of("az://abc/index")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "no credentials were found. Set AWS_ACCESS_KEY_ID" in message_of("s3://abc/index")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    # The last place that is asked for credentials; here, a closed port stands for it.
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    assert "no credentials were found. Set AWS_ACCESS_KEY_ID" in message_of("s3://abc/index")


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        (f"s3://key:{KEY}@abc/index", "must not contain credentials"),
        (f"s3://abc/index?token={KEY}", "s3://abc/index isn't an address of an index"),
        ("s3:///index", "isn't an address of an index"),
        ("ftp://abc/index", "with one of s3, gs, az"),
    ],
)
def test_addresses_that_cannot_be_used(location: str, expected: str) -> None:
    assert expected in message_of(location)


def test_a_folder_has_no_storage_options(tmp_path: Path) -> None:
    assert "is a folder, so it has no storage options" in message_of(str(tmp_path), region="x")


def test_a_bucket_that_holds_something_else_is_not_touched(storage: Storage, place: str) -> None:
    name = Bucket(place).name
    storage.client.put_object(Bucket=name, Key="index/holiday.mp4", Body=b"x")
    assert "isn't an index: it contains other files ('holiday.mp4')" in message_of(place)
    assert "isn't an index" not in str(VideoIndex(f"s3://{name}/index2").location)
    # Beside an index, other objects have always been allowed.
    index = new_index(f"s3://{name}/index2", random_video("/v/0.mp4"))
    storage.client.put_object(Bucket=name, Key="index2/read me.txt", Body=b"x")
    assert len(VideoIndex(index.location + "/", create=False)) == 2


def test_a_region_that_nobody_sets_is_asked_for(
    options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def application(environ: dict[str, Any], start: Any) -> list[bytes]:
        asked.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        start("403 Forbidden", [("x-amz-bucket-region", "eu-north-1")])
        return [b""]

    with serve(application) as address:
        monkeypatch.setattr(aws, "_REGIONS", address)
        assert Bucket("s3://abc/index").options == {"aws_region": "eu-north-1"}
        assert Bucket("s3://abc/index", {"region": "us-west-1"}).options == {"aws_region": "us-west-1"}
        with_endpoint = {"endpoint": "https://example.com"}
        assert Bucket("s3://abc/index", with_endpoint).options.keys() == {"aws_endpoint"}
    assert asked == [("HEAD", "/abc")]
    assert Bucket("s3://abc/index").options == {}


@pytest.mark.parametrize("harm", ["403 Forbidden", "500 Internal Server Error"])
def test_repair_deems_nothing_damaged_because_the_store_refuses(
    storage: Storage, place: str, harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = new_index(place, random_video("/v/0.mp4"), random_video("/v/1.mp4"))
    refuse = answering(harm, "AccessDenied")(storage.application)

    def partly(environ: dict[str, Any], start: Any) -> Any:
        reads = environ["REQUEST_METHOD"] == "GET" and "windows.lance/data/" in environ["PATH_INFO"]

        return (refuse if reads else storage.application)(environ, start)

    with serve(partly) as address:
        few = {"endpoint": address, "client_max_retries": "0", "client_retry_timeout": "1"}
        for function in (examine, repair):
            with pytest.raises(IndexStoreError) as caught:
                function(place, storage_options=few)
            assert "can't be mended" not in str(caught.value)
            assert KEY not in str(caught.value)
    assert len(index) == 4
    assert {report.state for report in examine(place)} == {"good"}


def test_commands(
    place: str,
    options: dict[str, str],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    index = VideoIndex(place, storage_options=options)
    index.bind(CARD)
    with index.writer() as writer:
        writer.add([random_video(f"/v/{at}.mp4") for at in range(3)])
        writer.finish()
    named = ["--index", place, *(f"--storage-option={name}={value}" for name, value in options.items())]
    for command in (
        "info",
        f"export {tmp_path}/out",
        "duplicates",
        "remove /v/2.mp4",
        "repair --check",
        "repair --wait 1",
    ):
        code = main([*shlex.split(command), *named])
        out, err = capfd.readouterr()
        assert code == 0, (command, err)
        assert KEY not in out + err
    assert len(index) == 4
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert main(["info", "--index", place, "--storage-option", KEY]) == 2
    _, err = capfd.readouterr()
    assert "KEY=VALUE, such as region=eu-central-1" in err
    assert KEY not in err
