"""The command line: arguments, progress, exit codes.

Commands import what they need when they run, so that help and errors are fast. Shared code is in `options`,
`loading`, `indexing`, `output`, `progress`, `stopping` and `formats`.
"""

from centerclip.cli.app import main, program

__all__ = ["main", "program"]
