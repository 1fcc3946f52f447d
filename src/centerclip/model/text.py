"""CLIP's or PE-Core's text tower in numpy, for command-line queries: importing torch takes 5 s.

Reads models saved by `transformers`, and PE-Core in open_clip's layout. Rejects anything unusual, and the
caller loads the whole model instead.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from centerclip.errors import ModelError
from centerclip.model.reading import check_growth, reading
from centerclip.model.text_weights import EMBEDDINGS, HIGHEST, LAYERS, read_text_weights

__all__ = ["TextTower", "probe"]

_Array = NDArray[np.float32]

_SENTENCE = "a red car drives through the city"
_NUMBERS = 16
_TOLERANCE = 0.004
"""bfloat16 changes a number by up to 0.001. Another model would agree within this with probability 1e-17."""


def probe(encode_text: Callable[[list[str]], _Array]) -> str:
    """Format the first numbers of a fixed sentence's embedding, to tell text towers apart."""
    return " ".join(f"{number:.4f}" for number in encode_text([_SENTENCE])[0, :_NUMBERS])


def _gelu(x: _Array) -> _Array:
    erf = np.frompyfunc(math.erf, 1, 1)(x / math.sqrt(2)).astype(np.float32)
    out: _Array = x * (1 + erf) / 2
    return out


def _quick_gelu(x: _Array) -> _Array:
    out: _Array = x / (1 + np.exp(-1.702 * x))
    return out


_ACTIVATIONS = {"gelu": _gelu, "quick_gelu": _quick_gelu}


class TextTower:
    """The text half of a `transformers.CLIPModel` or of open_clip's, in float32.

    Args:
        folder: a saved model with configuration, `tokenizer.json` and weights as safetensors.

    Raises:
        ModelError: the folder contains anything else.
    """

    def __init__(self, folder: Path) -> None:
        with reading(f"the text tower alone in {folder}", "load the whole model"):
            read = read_text_weights(folder)
            self._weights, self._heads, self._epsilon = read.tensors, read.heads, read.epsilon
            self._end, self._activation = read.end, _ACTIVATIONS[read.activation]
            if not (folder / "tokenizer.json").is_file():
                raise ModelError(f"the text tower alone in {folder} needs tokenizer.json")
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            check_growth(self._tokenizer.normalizer)
            self._tokenizer.no_padding()
            self._tokenizer.enable_truncation(len(self._weights[f"{EMBEDDINGS}.position_embedding.weight"]))
            self._blocks = sum(name.endswith("layer_norm1.weight") for name in self._weights)
            if self._tokenizer.get_vocab_size() > len(self._weights[f"{EMBEDDINGS}.token_embedding.weight"]):
                raise ModelError(f"the tokenizer in {folder} belongs to another model: load the whole model")
            # Fails if a weight or the end token is missing, or if the tokenizer is damaged.
            self._probe = probe(self._encode_all)
            if "nan" in self._probe:
                raise ValueError("its embeddings aren't numbers")

    def matches(self, probed: str) -> bool:
        """Whether the `probe` of an index's model agrees with this tower."""
        theirs, own = probed.split(), self._probe.split()
        return len(theirs) == len(own) and all(
            abs(float(a) - float(b)) < _TOLERANCE for a, b in zip(theirs, own, strict=True)
        )

    def encode_text(self, texts: Sequence[str]) -> _Array:
        """Encode sentences to [Q, E] float32, unit length, like `CenterCLIP.encode_text`.

        Raises:
            ModelError: the tokenizer is damaged.
        """
        with reading("a sentence", "use the tokenizer saved with the model"):
            return self._encode_all(texts)

    def _encode_all(self, texts: Sequence[str]) -> _Array:
        return np.stack([self._encode(text) for text in texts])

    def _encode(self, text: str) -> _Array:
        ids = self._tokenizer.encode(text).ids
        stop = ids.index(self._end if self._end != HIGHEST else max(ids)) + 1
        x = self._weights[f"{EMBEDDINGS}.token_embedding.weight"][ids[:stop]]
        x = x + self._weights[f"{EMBEDDINGS}.position_embedding.weight"][:stop]  # [L, D]
        future = np.triu(np.full((stop, stop), -np.inf, np.float32), 1)
        for block in (f"{LAYERS}.{number}" for number in range(self._blocks)):
            x = x + self._attend(f"{block}.self_attn", self._norm(f"{block}.layer_norm1", x), future)
            hidden = self._activation(self._linear(f"{block}.mlp.fc1", self._norm(f"{block}.layer_norm2", x)))
            x = x + self._linear(f"{block}.mlp.fc2", hidden)
        pooled = self._norm("text_model.final_layer_norm", x[-1:])  # [1, D]
        vector = (pooled @ self._weights["text_projection.weight"].T)[0]  # [E]
        unit: _Array = vector / np.linalg.norm(vector)
        return unit

    def _attend(self, name: str, x: _Array, future: _Array) -> _Array:
        query, key, value = (
            self._linear(f"{name}.{part}_proj", x).reshape(len(x), self._heads, -1).swapaxes(0, 1)
            for part in "qkv"
        )  # [h, L, D/h]
        scores = query @ key.swapaxes(1, 2) / np.float32(math.sqrt(query.shape[-1])) + future  # [h, L, L]
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        seen = weights / weights.sum(axis=-1, keepdims=True) @ value  # [h, L, D/h]
        return self._linear(f"{name}.out_proj", seen.swapaxes(0, 1).reshape(x.shape))

    def _linear(self, name: str, x: _Array) -> _Array:
        out: _Array = x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]
        return out

    def _norm(self, name: str, x: _Array) -> _Array:
        x = x - x.mean(axis=-1, keepdims=True)
        scale = 1 / np.sqrt((x * x).mean(axis=-1, keepdims=True) + np.float32(self._epsilon))
        out: _Array = x * scale * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]
        return out
