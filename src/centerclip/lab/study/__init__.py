"""Compares reducers at equal budget: all variants are trained from one checkpoint, with several seeds."""

from centerclip.lab.study.config import StudyConfig, Variant, load_study
from centerclip.lab.study.costs import Cost
from centerclip.lab.study.report import write_into, write_report
from centerclip.lab.study.results import Study, VariantResult
from centerclip.lab.study.run import run_study

__all__ = [
    "Cost",
    "Study",
    "StudyConfig",
    "Variant",
    "VariantResult",
    "load_study",
    "run_study",
    "write_into",
    "write_report",
]
