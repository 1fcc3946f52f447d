"""The `centerclip` program: its commands, and what becomes of their errors.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but some files failed, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import centerclip
from centerclip.cli.compare import compare
from centerclip.cli.evaluate import evaluate
from centerclip.cli.export import export
from centerclip.cli.index import index
from centerclip.cli.info import info
from centerclip.cli.inspect import inspect
from centerclip.cli.models import models
from centerclip.cli.output import note
from centerclip.cli.search import SearchCommand, search
from centerclip.cli.serve import serve
from centerclip.cli.train import train
from centerclip.errors import CenterCLIPError

__all__ = ["app", "main"]

_QUIET = {
    "TRANSFORMERS_VERBOSITY": "error",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "HF_HUB_VERBOSITY": "error",
}
"""Keeps the libraries' own remarks off the terminal; whoever sets these himself is obeyed."""


class _Group(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        """Run a command; here because typer ends these two in its own way further up."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            note("Stopped.")
            raise typer.Exit(128 + signal.SIGINT) from None
        except BrokenPipeError:
            raise typer.Exit(_reader_gone()) from None


app = typer.Typer(
    cls=_Group,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


@app.callback(invoke_without_command=True)
def _root(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; works after a command too.")
    ] = False,
) -> None:
    """Find moments in your own videos with a sentence.

    Index once, then search: results go to stdout (a table, or lines with tabs when piped), all else to
    stderr. `centerclip demo` shows it on a small library of drawn videos.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but some files failed, 130 stopped by Ctrl-C.
    """
    if version:
        typer.echo(f"centerclip {centerclip.__version__}")
    elif ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


app.command()(index)
app.command(cls=SearchCommand)(search)
app.command()(serve)
app.command()(info)
app.command()(export)
app.command()(models)
app.command()(evaluate)
app.command()(compare)
app.command()(inspect)
app.command()(train)
for _name in ("demo", "bench", "study", "toy_world"):  # the laboratory's, found by name
    app.command()(getattr(import_module(f"centerclip.lab.commands.{_name}"), _name))


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        argv: without the program's name; the process's own if None.

    Returns:
        The exit code.
    """
    args = list(sys.argv[1:] if argv is None else argv)
    debug = _take_debug(args)
    _set_streams_up()
    with warnings.catch_warnings():
        if not (debug or sys.warnoptions):
            warnings.simplefilter("ignore")  # libraries' advice to programmers
        try:
            code = typer.main.get_command(app).main(args, prog_name="centerclip", standalone_mode=False)
            sys.stdout.flush()
            return int(code or 0)
        except BrokenPipeError:
            return _reader_gone()
        except typer.TyperException as error:
            _complain(error.format_message(), f"See {_help_of(error)}")
            return int(error.exit_code)
        except CenterCLIPError as error:
            _show(error, str(error), debug)
        except OSError as error:
            _show(error, f"{error.filename or 'the system'}: {error.strerror or error}", debug)
        except Exception as error:  # the last resort: a fault of ours must not look like one of the user's
            fault = f"unexpected {type(error).__name__}: {str(error).rstrip('.')}"
            _show(error, f"{fault}. This is a fault in centerclip; --debug tells more", debug)
        return 1


def _take_debug(args: list[str]) -> bool:
    """Whether `--debug` stands among the options, wherever; it is taken out."""
    options = args[: args.index("--")] if "--" in args else args
    if "--debug" in options:
        args.remove("--debug")
        return True
    return False


def _set_streams_up() -> None:
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    for stream in (sys.stdout, sys.stderr):
        utf8 = stream.encoding.lower().replace("-", "") == "utf8"
        if hasattr(stream, "reconfigure"):  # a name of bytes that are no text goes out as it came in
            stream.reconfigure(errors="surrogateescape" if utf8 else "replace")


def _help_of(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path if context else 'centerclip'} --help"


def _show(error: Exception, text: str, debug: bool) -> None:
    if debug:
        traceback.print_exception(error)
    _complain(text)


def _complain(text: str, remedy: str = "") -> None:
    line = " ".join(text.split("\n")).strip()
    if remedy:
        line = f"{line if line.endswith(('.', '?')) else line + '.'} {remedy}"
    note(line, lead="error: ", style="red")


def _reader_gone() -> int:
    """Whoever read our output has had enough, as `head` has: be quiet, at exit too."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
