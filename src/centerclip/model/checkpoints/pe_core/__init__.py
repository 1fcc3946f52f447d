"""PE-Core in its two published layouts: the official `.pt`, and open_clip's folder, which is also written."""

from centerclip.model.checkpoints.pe_core.layout import is_pe_core
from centerclip.model.checkpoints.pe_core.reading import read_pe_core
from centerclip.model.checkpoints.pe_core.writing import write_pe_core

__all__ = ["is_pe_core", "read_pe_core", "write_pe_core"]
