"""The web application: `create_app` makes it from an index and an encoder. Needs the extra `serve`."""

from centerclip.serve.application import create_app
from centerclip.serve.settings import ServerSettings

__all__ = ["ServerSettings", "create_app"]
