"""Evaluation: every video decoded once and encoded under each schedule, then ranks both ways.

Owns the way from a data set to figures, their report on disk, and the paired comparison of reports.
Knows neither how ranks are computed (`metrics`) nor how scores are corrected (`rescoring`).
"""

from centerclip.evaluation.pairing import Pair, compare_reports
from centerclip.evaluation.report import Report, make_report, read_report, write_report
from centerclip.evaluation.results import Evaluation, Rescored
from centerclip.evaluation.run import evaluate

__all__ = [
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
