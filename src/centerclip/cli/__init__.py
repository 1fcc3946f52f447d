"""The command line: arguments, progress, exit codes. Each command imports the rest of the package itself.

A command's module shows what it does in the order in which it does it; what commands share is in
`options`, `loading`, `output`, `progress`, `stopping` and `formats`.
"""

from centerclip.cli.app import main

__all__ = ["main"]
