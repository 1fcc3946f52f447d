"""Videos, pictures and sentences to embeddings, and whole folders into an index: `VideoEncoder`."""

from centerclip.encoder.encoder import VideoEncoder
from centerclip.encoder.indexing import FileResult, Progress

__all__ = ["FileResult", "Progress", "VideoEncoder"]
