"""Single objects beside the tables of an index in object storage, and the list of the tables' own files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from centerclip.errors import IndexStoreError

__all__ = ["Bucket"]

_RETRIES, _RETRY_SECONDS = 3, 30


class Bucket:
    """The objects below an address such as `s3://bucket/prefix`; safe to use from many threads.

    Settings come from the environment, as the store's own do.

    Raises:
        IndexStoreError: the address can't be used.
    """

    def __init__(self, location: str) -> None:
        import obstore  # takes 40 ms, and only object storage needs it
        from obstore import store

        open_store: Any = store.from_url
        self.location = location
        self._obstore: Any = obstore
        retries = {"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=_RETRY_SECONDS)}
        self._store: Any = self._asked(lambda: open_store(location, retry_config=retries))

    def read(self, name: str) -> bytes:
        """Return an object's content.

        Raises:
            FileNotFoundError: there is none.
            IndexStoreError: it can't be read.
        """
        return bytes(self._asked(lambda: self._obstore.get(self._store, name).bytes()))

    def read_changed(self, name: str, known: str | None) -> tuple[bytes, str] | None:
        """Return an object's content and its tag; None if it still has the tag `known`. One request.

        Raises:
            FileNotFoundError, IndexStoreError: as `read`.
        """
        options = {} if known is None else {"if_none_match": known}

        def get() -> tuple[bytes, str] | None:
            try:
                found = self._obstore.get(self._store, name, options=options)
            except self._obstore.exceptions.NotModifiedError:
                return None
            return bytes(found.bytes()), found.meta["e_tag"] or ""

        answer: tuple[bytes, str] | None = self._asked(get)
        return answer

    def read_range(self, name: str, start: int, end: int) -> bytes:
        """Return a part of an object's content; raises as `read` does."""
        return bytes(self._asked(lambda: self._obstore.get_range(self._store, name, start=start, end=end)))

    def write(self, name: str, content: bytes) -> None:
        """Replace an object: all of it or nothing.

        Raises:
            IndexStoreError: it can't be written.
        """
        self._asked(lambda: self._obstore.put(self._store, name, content))

    def sizes(self) -> dict[str, int]:
        """Return the names and sizes of all objects, one request per thousand.

        Raises:
            IndexStoreError: they can't be listed.
        """

        def look() -> dict[str, int]:
            return {each["path"]: each["size"] for some in self._obstore.list(self._store) for each in some}

        found: dict[str, int] = self._asked(look)
        return found

    def _asked(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except FileNotFoundError:
            raise
        except (self._obstore.exceptions.BaseError, OSError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise IndexStoreError(f"the index {self.location} can't be reached: {reason}") from error
