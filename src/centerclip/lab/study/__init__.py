"""Reducers compared fairly: every variant trained from one checkpoint with equal budget, several seeds each."""

from centerclip.lab.study.config import Variant, StudyConfig, load_study
from centerclip.lab.study.costs import Cost
from centerclip.lab.study.report import write_into, write_report
from centerclip.lab.study.results import VariantResult, Study
from centerclip.lab.study.run import run_study

__all__ = [
    "Variant",
    "VariantResult",
    "Cost",
    "Study",
    "StudyConfig",
    "load_study",
    "run_study",
    "write_into",
    "write_report",
]
