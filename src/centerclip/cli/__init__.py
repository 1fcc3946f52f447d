"""The command line: arguments, progress, exit codes.

A command imports what it needs when it runs, so that help and errors are quick. What commands share is in
`options`, `loading`, `output`, `progress`, `stopping` and `formats`.
"""

from centerclip.cli.app import main

__all__ = ["main"]
