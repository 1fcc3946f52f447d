"""What restricts a search, and the reads that keep to it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from centerclip.errors import QueryError
from centerclip.index.sql import Condition

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Restriction"]


@dataclass(frozen=True, slots=True)
class Restriction:
    """What restricts a search: a condition, and when it must end by the monotonic clock; None for neither."""

    where: Condition | None = None
    deadline: float | None = None

    @classmethod
    def within(cls, where: Condition | None, seconds: float | None) -> Restriction:
        """Return a restriction whose deadline is counted from now."""
        return cls(where, None if seconds is None else time.monotonic() + seconds)

    def read(self, query: Any) -> pa.Table:
        """Return a query's rows.

        Raises:
            QueryError: the time is up. The store has stopped reading then.
        """
        if self.deadline is None:
            return query.to_arrow()
        left = self.deadline - time.monotonic()
        try:
            if left > 0:
                return query.to_arrow(timeout=timedelta(seconds=left))
        except RuntimeError as error:
            if "Query timeout" not in str(error):
                raise
        raise QueryError("the search took too long: use a simpler condition, or try again")
