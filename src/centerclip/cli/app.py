"""The `centerclip` program: its commands, and how errors are shown.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but some files failed, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import atexit
import gc
import logging
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

import centerclip
from centerclip.cli.compare import compare
from centerclip.cli.duplicates import duplicates
from centerclip.cli.evaluate import evaluate
from centerclip.cli.export import export
from centerclip.cli.index import index
from centerclip.cli.info import info
from centerclip.cli.inspect import inspect
from centerclip.cli.mcp import mcp
from centerclip.cli.models import models
from centerclip.cli.output import note
from centerclip.cli.pack import pack
from centerclip.cli.remove import remove
from centerclip.cli.repair import repair
from centerclip.cli.search import SearchCommand, search
from centerclip.cli.serve import serve
from centerclip.cli.train import train
from centerclip.errors import CenterCLIPError

__all__ = ["app", "main", "program"]

_QUIET = {
    "TRANSFORMERS_VERBOSITY": "error",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "HF_HUB_VERBOSITY": "error",
}
"""Turns off libraries' messages, unless the user has set these variables."""


_SIGNALED = 128
"""Larger exit codes mean that a signal ended the program."""


class _Warnings(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        note(record.getMessage(), lead="warning: ", style="yellow")


_WARNINGS = _Warnings()
# So that the interpreter doesn't look through all of torch's objects several times before it ends.
atexit.register(gc.freeze)


class _Group(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        """Run a command; handle two exceptions that typer would handle differently."""
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
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Find moments in your own videos with a sentence.

    Index once, then search. Results go to stdout (a table, or tab-separated lines when piped),
    everything else to stderr. `centerclip demo` tries it on a small library of drawn videos.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but some files failed, 130 stopped by Ctrl-C.
    """
    if version:
        typer.echo(f"centerclip {centerclip.__version__}")
    elif ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


app.command()(index)
app.command(cls=SearchCommand)(search)
app.command()(duplicates)
app.command()(serve)
app.command()(mcp)
app.command()(info)
app.command()(export)
app.command()(remove)
app.command()(repair)
app.command()(models)
app.command()(evaluate)
app.command()(compare)
app.command()(inspect)
app.command()(train)
app.command()(pack)
for _name in (
    "demo",
    "bench",
    "study",
    "pretrained",
    "toy_world",
):  # by name, as the product doesn't import the lab
    app.command()(getattr(import_module(f"centerclip.lab.commands.{_name}"), _name))


def program() -> NoReturn:
    """Run the command line of the process, and end it.

    After Ctrl-C, threads aren't waited for: one may compute for many seconds, and nothing needs its result.
    """
    code = main()
    if code > _SIGNALED:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        argv: arguments without the program's name; those of the process if None.

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
            commands = typer.main.get_command(app)
            # Reports tell by which command they were made, so it is kept as the context's object.
            code = commands.main(args, prog_name="centerclip", standalone_mode=False, obj=tuple(args))
            sys.stdout.flush()
            return int(code or 0)
        except BrokenPipeError:
            return _reader_gone()
        except typer.TyperException as error:
            context = getattr(error, "ctx", None)
            command = context.command_path if context else "centerclip"
            _complain(error.format_message(), f"See {command} --help")
            return int(error.exit_code)
        except CenterCLIPError as error:
            _show(error, str(error), debug)
        except OSError as error:
            _show(error, f"{error.filename or 'the system'}: {error.strerror or error}", debug)
        except Exception as error:  # a bug must not look like the user's mistake
            fault = f"unexpected {type(error).__name__}: {str(error).rstrip('.')}"
            _show(error, f"{fault}. This is a bug in centerclip; --debug shows more", debug)
        return 1


def _take_debug(args: list[str]) -> bool:
    """Remove `--debug` from anywhere in the options; return whether it was there."""
    options = args[: args.index("--")] if "--" in args else args
    if "--debug" in options:
        args.remove("--debug")
        return True
    return False


def _set_streams_up() -> None:
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    for name in ("centerclip.index", "centerclip.model"):
        logging.getLogger(name).addHandler(_WARNINGS)  # the same one twice counts once
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    for stream in (sys.stdout, sys.stderr):
        utf8 = stream.encoding.lower().replace("-", "") == "utf8"
        if hasattr(stream, "reconfigure"):  # print file names that aren't valid text unchanged
            stream.reconfigure(errors="surrogateescape" if utf8 else "replace")


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
    """Print nothing more, even at exit: the reader of our output, such as `head`, has closed the pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
