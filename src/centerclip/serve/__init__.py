"""The web application: `create_app` makes it, from an index and an encoder. Needs the extra `serve`."""

from centerclip.serve.application import create_app
from centerclip.serve.settings import Settings

__all__ = ["Settings", "create_app"]
