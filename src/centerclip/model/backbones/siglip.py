"""SigLIP models of `transformers`: SigLIP, and SigLIP 2 of fixed resolution."""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from centerclip.clustering import Tokens
from centerclip.errors import ModelError
from centerclip.model.backbones.backbone import Backbone, square
from centerclip.preprocessing import Preprocessing

__all__ = ["SiglipBackbone"]


class SiglipBackbone(Backbone):
    """SigLIP (`transformers.SiglipModel`), pooled by attention."""

    family = "siglip"
    architecture = "SiglipModel"
    has_class_token = False

    def __init__(
        self, model: nn.Module, tokenizer: Any = None, *, preprocessing: Preprocessing | None = None
    ) -> None:
        super().__init__(model, tokenizer, preprocessing=preprocessing)
        if not self.model.vision_model.use_head:
            raise ModelError(
                "this SigLIP has no pooling head, so it has no embeddings: use one with vision_use_head=True"
            )
        self.pooling_width = self.mlp_width

    @classmethod
    def default_preprocessing(cls, config: Any) -> Preprocessing:
        half = (0.5, 0.5, 0.5)
        return Preprocessing(square(config.vision_config.image_size), mean=half, std=half, resize="squash")

    @property
    def embed_size(self) -> int:
        return self.width

    def embed(self, frames: Tensor) -> Tokens:
        return self.at_patches(self.model.vision_model.embeddings(frames))  # x [F, P, D]

    def pool(self, tokens: Tokens) -> Tensor:
        head, bias = self.model.vision_model.head, tokens.bias
        x = self.model.vision_model.post_layernorm(tokens.x)
        if bias is not None:
            bias = bias.to(x.dtype).squeeze(1).repeat_interleave(self.heads, dim=0)  # [G*h, 1, L]
        probe = head.probe.expand(x.shape[0], -1, -1)
        pooled = head.attention(probe, x, x, attn_mask=bias, need_weights=False)[0]
        out: Tensor = (pooled + head.mlp(head.layernorm(pooled)))[:, 0]  # [G, E]
        return out

    def _token_ids(self, texts: list[str], length: int) -> Tensor:
        # SigLIP was trained on 64 lower-case tokens, attends to padding, and reads the last position. So
        # texts are always padded on the right to full length, without an attention mask, as in big_vision.
        # Not every published tokenizer lower-cases, and one pads on the left by default.
        batch = self.tokenizer(
            [text.lower() for text in texts],
            padding="max_length",
            truncation=True,
            max_length=length,
            padding_side="right",
            return_tensors="pt",
        )
        missing = self.context_length - length
        return functional.pad(batch["input_ids"], (0, missing), value=self.tokenizer.pad_token_id)
