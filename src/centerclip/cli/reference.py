"""Writes docs/cli.md from the commands' own help: `python -m centerclip.cli.reference docs/cli.md`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from centerclip.cli.app import app

__all__ = ["reference"]

_HEAD = """# Command line

Written by `make docs` from the commands' own help; edit that instead.
"""
_WIDTH = 100


def reference() -> str:
    """Return the page in Markdown."""
    program = typer.main.get_command(app)
    root = _context(program, "centerclip", None)
    pages = [_HEAD, _section(root)]
    if isinstance(program, TyperGroup):
        for name, command in program.commands.items():
            pages.append(_section(_context(command, name, root)))
    return "\n".join(pages)


def _context(command: Any, name: str, parent: typer.Context | None) -> typer.Context:
    settings = {**command.context_settings, "terminal_width": _WIDTH}
    return typer.Context(command, info_name=name, parent=parent, **settings)


def _section(context: typer.Context) -> str:
    lines = [line.rstrip() for line in context.get_help().splitlines()]
    return "\n".join([f"## {context.command_path}\n", "```text", *lines, "```", ""])


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
