"""From files to embeddings: `embed` with any number of models, `VideoEncoder` for one model at work."""

from centerclip.embedding.encoder import VideoEncoder, encode_texts
from centerclip.embedding.engine import embed, embed_all

__all__ = ["VideoEncoder", "embed", "embed_all", "encode_texts"]
