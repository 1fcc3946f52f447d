"""Metrics of retrieval: ranks of true items, summaries with intervals, paired comparisons."""

from centerclip.metrics.ranking import ranks, video_to_text_ranks
from centerclip.metrics.summary import (
    LABELS,
    Comparison,
    Difference,
    Estimate,
    Summary,
    compare,
    mean,
    summarize,
)

__all__ = [
    "LABELS",
    "Comparison",
    "Difference",
    "Estimate",
    "Summary",
    "compare",
    "mean",
    "ranks",
    "summarize",
    "video_to_text_ranks",
]
