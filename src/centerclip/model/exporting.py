"""Both towers as fixed graphs, for `torch.export`, `torch.compile(fullgraph=True)` and ONNX.

A graph can't decide by values. So videos have a fixed number of frames, all valid; equal frames are computed
like others; input isn't checked; and k-medoids does a fixed number of rounds (`clustering.traced`). Otherwise
the graphs are those of `CenterCLIP`.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim

from centerclip.atomic import write_atomically
from centerclip.errors import ConfigError
from centerclip.model.centerclip import CenterCLIP

__all__ = ["TextGraph", "VideoGraph", "export_onnx"]


class VideoGraph(nn.Module):
    """Encodes videos of a fixed number of frames; shares the model's weights.

    Args:
        model: in evaluation mode.

    Raises:
        ConfigError: the model is in training mode.
    """

    def __init__(self, model: CenterCLIP) -> None:
        super().__init__()
        _check_mode(model)
        self.model = model.with_()
        self.model.tower = None  # a compiled or quantized tower is no torch graph

    def forward(self, frames: Tensor) -> Tensor:
        """Encode frames [B, T, 3, H, W] uint8, RGB, of the model's size: [B, E], unit length."""
        return self.model.encode_video(self.model.preprocess(frames))

    def example(self) -> tuple[Tensor]:
        """Return two black videos, to trace with."""
        shape = (2, self.model.frames, 3, *self.model.image_size)
        return (torch.zeros(shape, dtype=torch.uint8, device=self.model.device),)


class TextGraph(nn.Module):
    """Encodes texts of a fixed number of tokens; shares the model's weights.

    Args:
        model: in evaluation mode.
        tokens: L, the length of all texts with padding; the context length by default.

    Raises:
        ConfigError: the model is in training mode, or L is out of range.
    """

    def __init__(self, model: CenterCLIP, tokens: int | None = None) -> None:
        super().__init__()
        longest = model.backbone.context_length
        self.tokens = longest if tokens is None else tokens
        _check_mode(model)
        if not 1 <= self.tokens <= longest:
            raise ConfigError(f"tokens is {tokens}, but must be from 1 to the context length, {longest}")
        self.model = model

    def forward(self, input_ids: Tensor) -> Tensor:
        """Encode token ids [B, L] int64, padded as `backbone.tokenize` does: [B, E], unit length."""
        return self.model.encode_text(input_ids)

    def example(self) -> tuple[Tensor]:
        """Return two texts of equal tokens, to trace with."""
        return (torch.ones(2, self.tokens, dtype=torch.int64, device=self.model.device),)


def export_onnx(model: CenterCLIP, folder: Path, *, tokens: int | None = None) -> None:
    """Write `video.onnx`, `text.onnx` and the tokenizer, for any ONNX runtime.

    The first input dimension is the batch, of any size. `video.onnx` maps `frames` [B, T, 3, H, W] uint8 to
    `vectors` [B, E], and `text.onnx` does so for `input_ids` [B, L] int64, padded as by
    `backbone.tokenize`. `inputs.json` has T, L, and how frames are resized; the graph normalizes them.

    Args:
        model: in evaluation mode.
        folder: made if necessary; files of an earlier export are replaced.
        tokens: L, the length of all texts with padding; the context length by default.

    Raises:
        ConfigError: onnx or onnxscript isn't installed, the model is in training mode, the reducer can't be
            written as ONNX, or `tokens` is out of range.
        OSError: the folder can't be written.
    """
    if not (find_spec("onnx") and find_spec("onnxscript")):
        raise ConfigError("ONNX needs two more packages: pip install 'centerclip[onnx]'")
    if model.schedule and model.reducer.name == "spectral":
        raise ConfigError("ONNX has no eigenvectors, which spectral needs: choose another reducer")
    folder.mkdir(parents=True, exist_ok=True)
    for name, graph, given in (
        ("video", VideoGraph(model), "frames"),
        ("text", TextGraph(model, tokens), "input_ids"),
    ):
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own deprecations
            traced = torch.export.export(graph, graph.example(), dynamic_shapes=({0: Dim("batch")},))
            program = torch.onnx.export(
                traced, (), input_names=[given], output_names=["vectors"], verbose=False
            )
        assert program is not None
        program.save(folder / f"{name}.onnx")
    if model.backbone.tokenizer is not None:
        model.backbone.tokenizer.save_pretrained(folder)
    inputs = {
        "frames": model.frames,
        "tokens": TextGraph(model, tokens).tokens,
        **asdict(model.preprocessing),
    }
    write_atomically(folder / "inputs.json", json.dumps(inputs, indent=1) + "\n")


def _check_mode(model: CenterCLIP) -> None:
    if model.training:
        raise ConfigError("a model in training mode can't be exported: call model.eval() first")
