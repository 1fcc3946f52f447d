"""Errors and unusual command lines; tests of the commands are in tests/e2e."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from centerclip.cli import app as app_module
from centerclip.cli import main
from centerclip.cli.hardware import device_and_precision
from centerclip.cli.reference import reference
from centerclip.cli.search import SearchCommand
from centerclip.embedding.device import choose_device, choose_dtype
from centerclip.errors import QueryError
from centerclip.index import ModelCard, VideoIndex
from centerclip.model.registry import NANO_FOLDER
from centerclip.model.text import TextTower, probe

ROOT = Path(__file__).parents[3]


def run_with(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None], *args: str) -> int:
    """Run a program whose only command calls `act`."""
    program = typer.Typer(cls=app_module._Group, rich_markup_mode=None)
    program.callback()(lambda: None)
    program.command("act")(act)
    monkeypatch.setattr(app_module, "app", program)
    return main(["act", *args])


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (QueryError("the query is\nempty"), 1, "error: the query is empty\n"),
        (PermissionError(13, "Permission denied", "/x"), 1, "error: /x: Permission denied\n"),
        (
            ZeroDivisionError("oh."),
            1,
            "unexpected ZeroDivisionError: oh. This is a bug in centerclip",
        ),
        (KeyboardInterrupt(), 130, "Stopped.\n"),
        (typer.Exit(3), 3, ""),
        (
            typer.BadParameter("give one", param_hint="PATH"),
            2,
            "error: Invalid value for PATH: give one.",
        ),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(
    error: BaseException,
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def act() -> None:
        raise error

    assert run_with(monkeypatch, act) == code
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == bool(message)
    assert captured.out == ""
    assert run_with(monkeypatch, act, "--debug") == code
    assert capsys.readouterr().err.startswith("Traceback") == (code == 1)


def test_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    for args, hint in (
        (["serch"], "'search'"),
        (["search"], "See centerclip search --help"),
        (["search", "x", "--top", "0"], "See centerclip search --help"),
        (["search", "x", "--tpo", "3"], "--top"),
        (["index"], "name at least one video or folder. See centerclip index --help"),
    ):
        assert main(args) == 2
        captured = capsys.readouterr()
        assert captured.err.startswith("error: ")
        assert hint in captured.err
        assert captured.err.count("\n") == 1
        assert captured.out == ""


@pytest.mark.parametrize(
    ("args", "query", "top"),
    [
        (["a", "red", "car"], ["a", "red", "car"], 10),
        (["-people + beach"], ["-people + beach"], 10),
        (["-people", "+", "beach", "--top", "3"], ["-people", "+", "beach"], 3),
        (["--top=3", "beach", "-", "people"], ["beach", "-", "people"], 3),
        (["--", "--top", "-x"], ["--top", "-x"], 10),
        (["black-and-white", "-0"], ["black-and-white"], 10),
    ],
)
def test_a_query_can_begin_with_a_minus_sign(args: list[str], query: list[str], top: int) -> None:
    command = typer.main.get_command(app_module.app).commands["search"]  # type: ignore[attr-defined]
    assert isinstance(command, SearchCommand)
    params = command.make_context("search", args).params
    assert (params["query"], params["top"], params["null"]) == (query, top, "-0" in args)


def make_empty_index(folder: Path) -> None:
    """An index of the bundled model without videos."""
    texts = probe(TextTower(NANO_FOLDER).encode_text)
    index = VideoIndex(folder)
    index.bind(ModelCard("0123abcd", "nano", "none", "kmedoids", 12, 128, 12.0, "float", texts))
    with index.writer() as writer:
        writer.finish()


def test_a_query_in_another_language_gets_a_note(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_empty_index(tmp_path)
    for query, noted in (("ein Hund am Strand", True), ("a dog at the beach", False)):
        assert main(["search", query, "--index", str(tmp_path)]) == 0
        captured = capsys.readouterr()
        assert ("but the model nano knows only English" in captured.err) == noted
        assert captured.out == ""


REST_CLIENT = "lance_namespace_urllib3_client.api"
HEAVY = {"av", "lancedb", "numpy", "pyarrow", "torch", "transformers"}


@pytest.mark.parametrize(
    ("args", "code", "unused"),
    [
        (["--help"], 0, HEAVY),
        (["--version"], 0, HEAVY),
        (["index", "--help"], 0, HEAVY),
        (["serch"], 2, HEAVY),
        (["search", "x", "--top", "0"], 2, HEAVY),
        (["models"], 0, HEAVY),
        (["models", "PE-Core-B-16"], 0, HEAVY),
        (["info"], 0, HEAVY),
        (["search", "a + "], 1, HEAVY),
        (["search", "x", "--where", "banana > 3"], 1, HEAVY),
        (["search", "x", "--index", "gone"], 1, {"av", "lancedb", "torch", "transformers"}),
        (["info", "--index", "INDEX"], 0, HEAVY),
        (["search", "a red car", "--index", "INDEX"], 0, {"av", "torch", "transformers", REST_CLIENT}),
    ],
)
def test_light_commands_load_no_heavy_package(
    args: list[str], code: int, unused: set[str], tmp_path: Path
) -> None:
    if "INDEX" in args:
        make_empty_index(tmp_path)
        args = [str(tmp_path) if word == "INDEX" else word for word in args]
    script = f"import sys; from centerclip.cli import main; print(main({args}), {unused} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "XDG_DATA_HOME": str(tmp_path)},
    )
    assert done.stdout.splitlines()[-1] == f"{code} set()"


@pytest.mark.parametrize("gpu", ["none", "null"])  # /dev/null stands for a GPU: then torch is asked
def test_info_states_the_device_and_precision_that_auto_selects(
    gpu: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if gpu == "null":
        monkeypatch.setattr("centerclip.cli.hardware._GPUS", (gpu,))
    device = choose_device("auto")
    precision = str(choose_dtype("auto", device)).removeprefix("torch.")
    assert device_and_precision() == (str(device), precision)


def test_it_runs_as_a_module_and_as_a_program_quiet_when_its_reader_closes_the_pipe() -> None:
    program = Path(sys.executable).with_name("centerclip")
    for command, line in (
        (f"{sys.executable} -m centerclip --version", "centerclip 0."),
        (f"{program} --help | head -1", "Usage: centerclip [OPTIONS] COMMAND [ARGS]...\n"),
    ):
        shell = ["bash", "-o", "pipefail", "-c", command]
        done = subprocess.run(shell, capture_output=True, text=True, check=False)
        assert done.stdout.startswith(line)
        assert (done.stdout.count("\n"), done.stderr) == (1, "")


def test_the_reference_is_fresh() -> None:
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == reference(), "run make docs"


def test_the_program_ends_without_looking_through_all_objects() -> None:
    script = (
        "import atexit, gc; atexit.register(lambda: print(gc.get_freeze_count() > 0)); "
        "import centerclip.cli.app"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
