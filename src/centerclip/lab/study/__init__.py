"""Reducers compared fairly: every arm trained from one checkpoint with equal budget, several seeds each."""

from centerclip.lab.study.config import Arm, StudyConfig, load_study
from centerclip.lab.study.costs import Cost
from centerclip.lab.study.report import write_into, write_report
from centerclip.lab.study.results import ArmResult, Study
from centerclip.lab.study.run import run_study

__all__ = [
    "Arm",
    "ArmResult",
    "Cost",
    "Study",
    "StudyConfig",
    "load_study",
    "run_study",
    "write_into",
    "write_report",
]
