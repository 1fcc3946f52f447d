"""Token clustering: pure tensor algorithms that know no model."""

from centerclip.clustering.distance import pairwise_distances
from centerclip.clustering.kmedoids import Clustering, kmedoids
from centerclip.clustering.reducers import REDUCERS, Reduced, Reducer, make_reducer, reducer_config
from centerclip.clustering.spectral import spectral_clustering

__all__ = [
    "REDUCERS",
    "Clustering",
    "Reduced",
    "Reducer",
    "kmedoids",
    "make_reducer",
    "pairwise_distances",
    "reducer_config",
    "spectral_clustering",
]
