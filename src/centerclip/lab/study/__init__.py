"""Compares ways to spend less on a video at equal training budget, over several starts and seeds."""

from centerclip.lab.study.budget import Budget, budget
from centerclip.lab.study.config import Comparison, StudyConfig, load_study
from centerclip.lab.study.costs import Cost
from centerclip.lab.study.report import verdict, write_into, write_report
from centerclip.lab.study.results import Answer, Study, VariantResult
from centerclip.lab.study.run import run_study
from centerclip.lab.study.variants import Variant

__all__ = [
    "Answer",
    "Budget",
    "Comparison",
    "Cost",
    "Study",
    "StudyConfig",
    "Variant",
    "VariantResult",
    "budget",
    "load_study",
    "run_study",
    "verdict",
    "write_into",
    "write_report",
]
