"""From files to embeddings: `embed` for many files and models, `VideoEncoder` for one model at work."""

from centerclip.embedding.embed import embed, embed_all
from centerclip.embedding.encoder import VideoEncoder, encode_texts

__all__ = ["VideoEncoder", "embed", "embed_all", "encode_texts"]
