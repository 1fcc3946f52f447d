"""Token reducers, by name: the tokens of segments in, fewer tokens out.

The only place that knows the order of a segment's tokens: frame after frame, and within a frame row by
row. Knows no model. The table of the built-in ones is `centerclip.naming.REDUCER_CLASSES`.
"""

from centerclip.clustering.reducers.reducer import Reducer, parse_reducer, reducer_config
from centerclip.clustering.reducers.reduction import reduce
from centerclip.naming import REDUCERS

__all__ = ["REDUCERS", "Reducer", "parse_reducer", "reduce", "reducer_config"]
