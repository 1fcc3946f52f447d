"""Search: the query language, moments, and `Searcher`."""

from centerclip.search.encoders import QueryEncoder
from centerclip.search.query import Query, Term, parse_query
from centerclip.search.searcher import Curve, Hit, Searcher

__all__ = ["Curve", "Hit", "Query", "QueryEncoder", "Searcher", "Term", "parse_query"]
