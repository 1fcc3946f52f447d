"""Search: the query language, moments, and `Searcher`.

Names are imported on first use: a query is parsed before the index and the models are loaded.
"""

from typing import TYPE_CHECKING

from centerclip.lazy import lazy_names

if TYPE_CHECKING:
    from centerclip.search.encoders import QueryEncoder, QueryVectors
    from centerclip.search.languages import language_note
    from centerclip.search.query import Query, Term, parse_query
    from centerclip.search.searcher import Curve, Hit, Said, Searcher

__all__ = [
    "Curve",
    "Hit",
    "Query",
    "QueryEncoder",
    "QueryVectors",
    "Said",
    "Searcher",
    "Term",
    "language_note",
    "parse_query",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "centerclip.search.encoders": ("QueryEncoder", "QueryVectors"),
        "centerclip.search.languages": ("language_note",),
        "centerclip.search.query": ("Query", "Term", "parse_query"),
        "centerclip.search.searcher": ("Curve", "Hit", "Said", "Searcher"),
    },
)
