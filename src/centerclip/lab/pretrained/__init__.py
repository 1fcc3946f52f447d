"""What reductions change in a model that was never trained with them, on real footage."""

from centerclip.lab.pretrained.measure import Findings, Row, measure_pretrained
from centerclip.lab.pretrained.report import write_into

__all__ = ["Findings", "Row", "measure_pretrained", "write_into"]
