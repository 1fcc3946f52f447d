"""Search: the query language, moments, and `Searcher`."""

from centerclip.search.encoders import QueryEncoder, QueryVectors
from centerclip.search.query import Query, Term, parse_query
from centerclip.search.searcher import Curve, Hit, Searcher

__all__ = ["Curve", "Hit", "Query", "QueryEncoder", "QueryVectors", "Searcher", "Term", "parse_query"]
