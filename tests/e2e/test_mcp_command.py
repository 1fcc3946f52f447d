"""`centerclip mcp`, asked by the protocol's own client over stdin and stdout of the installed command."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import av
import pytest
from command_line import Run, assert_refused
from mcp import StdioServerParameters
from mcp.client import Client
from mcp.client.stdio import stdio_client
from PIL import Image
from subtitled import srt

from centerclip.cli import main
from centerclip.lab.toy_world import render_toy_world

_COMMAND = "import sys; from centerclip.cli import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    render_toy_world(folder, train=0, val=0, test=6, workers=1)
    video = min(folder.rglob("*.mp4"))
    video.with_suffix(".srt").write_text(srt((0.5, 1.0, "We are engaged")), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def films_index(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("films-index") / "index"
    assert main(["index", str(films), "--index", str(place), "--model", "nano"]) == 0
    return place


def ask(use: Callable[[Client], Awaitable[None]], *args: str | Path) -> None:
    """Start the command, and talk to it."""
    command = ["-c", _COMMAND, "mcp", *map(str, args)]
    server = StdioServerParameters(command=sys.executable, args=command, env=dict(os.environ))

    async def talk() -> None:
        async with Client(stdio_client(server)) as client:
            await use(client)

    anyio.run(talk)


async def call(client: Client, tool: str, **given: Any) -> Any:
    """Return a tool's structured result."""
    result = await client.call_tool(tool, given)
    assert not result.is_error, result.content
    return result.structured_content


async def refusal(client: Client, tool: str, **given: Any) -> str:
    result = await client.call_tool(tool, given)
    assert result.is_error, result
    (text,) = result.content
    return str(text.text)  # type: ignore[union-attr]


def test_a_program_finds_looks_and_cuts(films: Path, films_index: Path, tmp_path: Path) -> None:
    captions = (films / "test.jsonl").read_text(encoding="utf-8").splitlines()
    caption = json.loads(captions[0])["captions"][0]

    async def use(client: Client) -> None:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert tools == {"search", "picture", "videos", "library", "cut"}
        library = await call(client, "library")
        assert (library["videos"], library["model"], library["can_cut"]) == (6, "nano", True)
        listed = (await call(client, "videos", limit=4))["videos"]
        assert len(listed) == 4
        assert (await call(client, "videos", offset=4))["videos"][0]["path"] > listed[-1]["path"]
        hits = (await call(client, "search", query=caption, top=3))["moments"]
        assert 1 <= len(hits) <= 3
        assert Path(hits[0]["path"]).is_relative_to(films)
        assert (hits[0]["reasons"], hits[0]["said"]) == (["seen"], [])
        (said,) = (await call(client, "search", query="spoken:engaged"))["moments"]
        words = {"start": 0.5, "end": 1.0, "text": "We are engaged"}
        assert (said["reasons"], said["said"]) == (["said"], [words])
        none = await call(client, "search", query=caption, where="duration_seconds > 99")
        assert none == {"moments": []}
        best = {"video_id": hits[0]["video_id"]}
        shown = await client.call_tool("picture", {**best, "seconds": hits[0]["start"]})
        (picture,) = shown.content
        assert picture.mime_type == "image/jpeg"  # type: ignore[union-attr]
        assert Image.open(io.BytesIO(base64.b64decode(picture.data))).format == "JPEG"  # type: ignore[union-attr]
        clip = await call(client, "cut", **best, start=0.5, end=1.5, name="first one.mp4")
        assert Path(clip["path"]) == tmp_path / "first one.mp4"
        with av.open(clip["path"]) as container:
            assert sum(1 for _ in container.decode(video=0)) >= 8

    ask(use, "--index", films_index, "--clips", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["first one.mp4"]


def test_mistakes_are_tool_errors(films_index: Path, tmp_path: Path) -> None:
    (tmp_path / "taken.mp4").write_text("mine", encoding="utf-8")

    async def use(client: Client) -> None:
        video = (await call(client, "videos", limit=1))["videos"][0]["video_id"]
        clip = {"video_id": video, "start": 0, "end": 1}
        for tool, given, message in (
            ("search", {"query": "x", "where": "lenght > 3"}, "Compare the columns path, video_id"),
            ("search", {"query": " "}, "the query is empty"),
            ("search", {"query": "x", "top": 0}, "greater than or equal to 1"),
            ("picture", {"video_id": "none", "seconds": 0}, "the index has no video 'none'"),
            ("cut", {**clip, "video_id": "none", "name": "a.mp4"}, "the index has no video 'none'"),
            ("cut", {**clip, "name": "taken.mp4"}, "already exists and won't be overwritten"),
            ("cut", {**clip, "name": "../out.mp4"}, "can't be the name of a clip"),
            ("cut", {**clip, "name": ".hidden.mp4"}, "can't be the name of a clip"),
            ("cut", {**clip, "name": "a.mkv"}, "can't be the name of a clip"),
            ("cut", {**clip, "start": 99, "name": "a.mp4"}, "must begin before its end"),
        ):
            assert message in await refusal(client, tool, **given), given
        # A text that looks like the name of a file is only a text.
        assert "moments" in await call(client, "search", query="./taken.mp4")

    ask(use, "--index", films_index, "--clips", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["taken.mp4"]
    assert (tmp_path / "taken.mp4").read_text(encoding="utf-8") == "mine"
    assert not (tmp_path.parent / "out.mp4").exists()


def test_without_a_folder_nothing_can_be_cut(films_index: Path) -> None:
    async def use(client: Client) -> None:
        assert "cut" not in {tool.name for tool in (await client.list_tools()).tools}
        assert not (await call(client, "library"))["can_cut"]

    ask(use, "--index", films_index)


def test_a_failed_cut_leaves_nothing(films: Path, films_index: Path, tmp_path: Path) -> None:
    path = sorted(films.glob("test/*.mp4"))[0]
    away = path.rename(path.with_suffix(".away"))
    try:

        async def use(client: Client) -> None:
            video = (await call(client, "videos", limit=1))["videos"][0]["video_id"]
            clip = {"video_id": video, "start": 0, "end": 1, "name": "a.mp4"}
            assert "there is no such file" in await refusal(client, "cut", **clip)

        ask(use, "--index", films_index, "--clips", tmp_path)
    finally:
        away.rename(path)
    assert list(tmp_path.iterdir()) == []


def test_only_the_protocol_is_on_stdout_and_no_model_is_loaded_for_it(films_index: Path) -> None:
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }
    script = _COMMAND.replace(
        "sys.exit(main(sys.argv[1:]))",
        "main(sys.argv[1:]); print('torch' in sys.modules, 'transformers' in sys.modules, file=sys.stderr)",
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "mcp", "--index", str(films_index)],
        input=json.dumps(hello) + "\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == [1]
    assert answers[0]["result"]["serverInfo"]["name"] == "centerclip"
    assert done.stderr.splitlines()[-1] == "False False"


def test_it_refuses_to_start_without_index_or_folder(run: Run, films_index: Path, tmp_path: Path) -> None:
    assert_refused(run, "run `centerclip index PATH` first", "mcp", "--index", tmp_path / "none")
    assert_refused(run, "isn't a folder", "mcp", "--index", films_index, "--clips", tmp_path / "none")


def test_a_missing_package_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name == "centerclip.agents" or name.split(".")[0] == "mcp"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mcp", None)
    assert_refused(run, "pip install 'centerclip[mcp]'", "mcp")
