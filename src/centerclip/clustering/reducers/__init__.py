"""Token reducers: fewer tokens for each segment.

Only this package depends on the order of a segment's tokens: frame after frame, row by row. The built-in
reducers are listed in `centerclip.naming.REDUCER_CLASSES`.
"""

from centerclip.clustering.reducers.reducer import Reducer, parse_reducer, reducer_config
from centerclip.clustering.reducers.reduction import reduce
from centerclip.naming import REDUCERS

__all__ = ["REDUCERS", "Reducer", "parse_reducer", "reduce", "reducer_config"]
