"""Evaluation of a model on a data set, reports on disk, and paired comparison of reports.

Ranks are computed by `centerclip.metrics`, re-scored similarities by `centerclip.rescoring`.
"""

from centerclip.evaluation.pairing import Pair, compare_reports
from centerclip.evaluation.report import Circumstances, Report, make_report, read_report, write_report
from centerclip.evaluation.results import Evaluation, Rescored
from centerclip.evaluation.run import evaluate

__all__ = [
    "Circumstances",
    "Evaluation",
    "Pair",
    "Report",
    "Rescored",
    "compare_reports",
    "evaluate",
    "make_report",
    "read_report",
    "write_report",
]
