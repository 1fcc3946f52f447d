"""PE-Core, the Perception Encoder's dual encoder, in torch alone.

Owns what `transformers` owns for the other families. Knows no files, segments, reducers or frames.

Source: Perception Encoder (arXiv 2504.13181).
"""

from centerclip.model.pe_core.config import PECoreConfig, TextConfig, VisionConfig
from centerclip.model.pe_core.model import PECore

__all__ = ["PECore", "PECoreConfig", "TextConfig", "VisionConfig"]
