"""Token clustering on plain tensors, independent of any model."""

from centerclip.clustering.distance import pairwise_distances
from centerclip.clustering.kmedoids import Clustering, kmedoids
from centerclip.clustering.reducers import Reducer, parse_reducer, reduce, reducer_config
from centerclip.clustering.spectral import spectral_clustering
from centerclip.clustering.tokens import Tokens
from centerclip.naming import REDUCERS

__all__ = [
    "REDUCERS",
    "Clustering",
    "Reducer",
    "Tokens",
    "kmedoids",
    "pairwise_distances",
    "parse_reducer",
    "reduce",
    "reducer_config",
    "spectral_clustering",
]
