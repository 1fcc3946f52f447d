"""CLIPs of `transformers` for other languages: CLIP's vision tower, each with a text tower of its own."""

from typing import Any, ClassVar

from torch import Tensor, nn

from centerclip.errors import ModelError
from centerclip.model.backbones.clip import CLIPBackbone
from centerclip.preprocessing import Preprocessing

__all__ = ["AltCLIPBackbone", "ChineseCLIPBackbone", "MetaClip2Backbone"]


class MetaClip2Backbone(CLIPBackbone):
    """MetaCLIP 2 (`transformers.MetaClip2Model`): CLIP with the vocabulary of XLM-V."""

    family = "metaclip_2"
    architecture = "MetaClip2Model"
    _highest_ends = False


class _MaskedBackbone(CLIPBackbone):
    """A CLIP whose text tower looks at every token in both directions, so that padding must be masked."""

    masks_padding: ClassVar[bool] = True

    def __init__(
        self, model: nn.Module, tokenizer: Any = None, *, preprocessing: Preprocessing | None = None
    ) -> None:
        super().__init__(model, tokenizer, preprocessing=preprocessing)
        if not isinstance(self._padding, int):
            raise ModelError(
                f"pad_token_id is {self._padding!r}, but must be a whole number: correct config.json"
            )

    @property
    def _padding(self) -> Any:
        return self.model.config.text_config.pad_token_id

    @property
    def _bert(self) -> Any:
        """The text tower's embeddings and blocks, by BERT's names."""
        return self.model.text_model

    def bottom(self, blocks: int) -> list[nn.Module | nn.Parameter]:
        vision, text = self.model.vision_model, self._bert
        (layers,) = text.encoder.children()  # called layer or layers
        stems = [vision.embeddings, vision.pre_layrnorm, text.embeddings]
        return [*stems, *vision.encoder.layers[:blocks], *layers[:blocks]]

    def _token_ids(self, texts: list[str], length: int) -> Tensor:
        if self.tokenizer.pad_token_id != self._padding:
            raise ModelError(
                f"the tokenizer pads with id {self.tokenizer.pad_token_id}, but the model with "
                f"{self._padding}: use the tokenizer saved with the model"
            )
        return self._padded(texts, length)

    def encode_text(self, input_ids: Tensor) -> Tensor:
        """Encode token ids [B, L] int64, padded on the right, to [B, E], not normalized."""
        # What follows the last other token is padding; "[PAD]" within a sentence is a token like any other.
        mask = (input_ids != self._padding).flip(1).cumsum(1).flip(1) > 0
        out: Tensor = self.model.get_text_features(
            input_ids=input_ids, attention_mask=mask.to(input_ids.dtype)
        ).pooler_output
        return out


class ChineseCLIPBackbone(_MaskedBackbone):
    """Chinese-CLIP (`transformers.ChineseCLIPModel`), with a Chinese BERT."""

    family = "chinese_clip"
    architecture = "ChineseCLIPModel"


class AltCLIPBackbone(_MaskedBackbone):
    """AltCLIP (`transformers.AltCLIPModel`), with XLM-R."""

    family = "altclip"
    architecture = "AltCLIPModel"

    def __init__(
        self, model: nn.Module, tokenizer: Any = None, *, preprocessing: Preprocessing | None = None
    ) -> None:
        super().__init__(model, tokenizer, preprocessing=preprocessing)
        self.context_length -= self._padding + 1  # XLM-R counts positions from there

    @property
    def _bert(self) -> Any:
        return self.model.text_model.roberta
