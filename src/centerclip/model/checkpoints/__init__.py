"""Converts checkpoints of OpenAI, open_clip, CLIP4Clip and CenterCLIP into models of `transformers`, and
those of PE-Core into `centerclip.model.pe_core.PECore`.

Missing tensors, unknown tensors and wrong shapes are errors. Code stored in a file is never run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor
from transformers import CLIPConfig, CLIPModel, MetaClip2Config, MetaClip2Model, PreTrainedModel, SiglipModel

from centerclip.errors import CheckpointError
from centerclip.model.checkpoints.hparams import TrainingSettings, read_hparams
from centerclip.model.checkpoints.layout import Geometry, check_names, convert, infer_geometry
from centerclip.model.checkpoints.open_clip import OpenClipConfig, read_open_clip_config
from centerclip.model.checkpoints.open_clip_siglip import canonicalize, convert_siglip
from centerclip.model.checkpoints.pe_core import is_pe_core, read_pe_core
from centerclip.model.checkpoints.safety import check_finite
from centerclip.model.checkpoints.tensors import read_tensors
from centerclip.model.checkpoints.torchscript import is_torchscript
from centerclip.model.pe_core import PECore
from centerclip.model.reading import reading
from centerclip.model.registry import OPEN_CLIP_CONFIG
from centerclip.model.unsupported import layout_needs

__all__ = [
    "OpenClipConfig",
    "canonicalize",
    "read_checkpoint",
    "read_open_clip_config",
    "read_training_settings",
]

M = TypeVar("M", bound=PreTrainedModel)

# Numbers that OpenAI's archives store as buffers.
_NUMBERS = frozenset({"input_resolution", "context_length", "vocab_size"})


def read_checkpoint(
    path: Path, *, activation: str | None = None
) -> CLIPModel | MetaClip2Model | SiglipModel | PECore:
    """Load a CLIP or PE-Core, or a SigLIP or MetaCLIP 2 of open_clip, in float32 and evaluation mode.

    Args:
        path: OpenAI's `.pt` (TorchScript archive or state dict); open_clip's `.bin`, `.pt` or `.safetensors`;
            CLIP4Clip's or CenterCLIP's `.bin` or `.pt` with mean pooling. The prefix `module.` of distributed
            training is removed; a head is ignored if `hparams_train.json` beside the file says `meanP`.
            Also PE-Core's `.pt`, or open_clip's files of it.
        activation: `quick_gelu` or `gelu`, which weights don't determine. The default is `quick_gelu` for
            OpenAI's archives and the CLIP4Clip and CenterCLIP checkpoints trained from them, then
            `open_clip_config.json` in the same folder, then `gelu` as in LAION's models.

    Raises:
        CheckpointError: the file is damaged or unsafe, or isn't such a model.
    """
    if activation not in (None, "gelu", "quick_gelu"):
        raise CheckpointError(f"activation {activation!r} is unknown: choose gelu or quick_gelu")
    tensors = _without_prefix(read_tensors(path), "module.")
    if is_pe_core(tensors):
        if activation is not None:
            raise CheckpointError(f"{path} is a PE-Core, which always has gelu: leave activation out")
        return read_pe_core(path, tensors)
    if any(name.startswith("visual.trunk.") for name in tensors):
        return _read_siglip(path, tensors, activation)
    if any(name.startswith(("vision_model.", "text_model.")) for name in tensors):
        raise CheckpointError(
            f"{path} is a weights file of transformers: give its folder, which has a config.json, instead"
        )
    retrieval = any(name.startswith("clip.") for name in tensors)  # CLIP4Clip or CenterCLIP
    if retrieval:
        trained = read_hparams(path.parent)
        heads = sorted(name for name in tensors if not name.startswith("clip."))
        if heads and not (trained and trained.mean_pooled):
            raise CheckpointError(
                f"{path} contains {heads[0]}, part of a head over the frames (CLIP4Clip's seqLSTM, seqTransf "
                "or tightTransf): choose a checkpoint with mean pooling (meanP)"
            )
        tensors = _without_prefix({name: tensors[name] for name in tensors.keys() - heads}, "clip.")
    from_openai = retrieval or not _NUMBERS.isdisjoint(tensors)
    tensors = _without_position_numbers(path, tensors)
    tensors = _canonical(tensors)
    config = OpenClipConfig(activation="quick_gelu") if from_openai else read_open_clip_config(path.parent)
    if needs := layout_needs(tensors):
        raise CheckpointError(f"{path} isn't supported: {needs}")
    with _naming(path):
        geometry = infer_geometry(tensors, head_width=config.head_width, text_heads=config.text_heads)
        check_names(tensors, geometry)  # before a model of a thousand blocks is built
        with reading(path, "its tensors must be those of a CLIP", CheckpointError):
            model = _empty_model(geometry, activation or config.activation, config.end_token)
        weights = convert(tensors, geometry, {name: tuple(t.shape) for name, t in model.state_dict().items()})
    return _fill(path, model, weights)


def _read_siglip(path: Path, tensors: dict[str, Tensor], activation: str | None) -> SiglipModel:
    config = read_open_clip_config(path.parent)
    if config.siglip is None:
        raise CheckpointError(
            f"{path} has a vision tower of timm, whose kind its weights don't determine: add its "
            f"{OPEN_CLIP_CONFIG}"
        )
    if activation is not None:
        raise CheckpointError(f"{path} has its own activation setting: leave activation={activation!r} out")
    with _naming(path), reading(path, "its tensors must be those of a SigLIP", CheckpointError):
        model, weights = convert_siglip(tensors, config.siglip)
    return _fill(path, model, weights)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name the file in errors."""
    try:
        yield
    except CheckpointError as error:
        named = str(error) if str(path) in str(error) else f"{path}: {error}"
        raise CheckpointError(named) from None


def _fill(path: Path, model: M, weights: dict[str, Tensor]) -> M:
    """Give weights of a file to a model without memory for them."""
    # Copied, because the file may be memory-mapped, and may be replaced while the model is in use.
    weights = {
        name: tensor.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
        for name, tensor in weights.items()
    }
    check_finite(path, weights.items())
    model.load_state_dict(weights, strict=True, assign=True)
    model.eval()
    return model


def read_training_settings(path: Path) -> TrainingSettings | None:
    """Read how a checkpoint file was trained from `hparams_train.json` in its folder; None if unknown.

    Raises:
        CheckpointError: the settings can't be followed.
    """
    # OpenAI's own archives may lie in the same folder.
    return None if is_torchscript(path) else read_hparams(path.parent)


def _empty_model(geometry: Geometry, activation: str, end_token: int | None) -> CLIPModel | MetaClip2Model:
    """Make a model without memory for its weights; `CLIPModel` takes an end token of 2 for something else."""
    config_class, model_class = (
        (CLIPConfig, CLIPModel) if end_token is None else (MetaClip2Config, MetaClip2Model)
    )
    shared = {"hidden_act": activation, "projection_dim": geometry.embed}
    config = config_class(
        projection_dim=geometry.embed,
        vision_config={
            **geometry.vision.config(),
            **shared,
            "image_size": geometry.grid * geometry.patch,
            "patch_size": geometry.patch,
        },
        text_config={
            **geometry.text.config(),
            **shared,
            "vocab_size": geometry.vocabulary,
            "max_position_embeddings": geometry.context,
            # CLIP's vocabulary ends with its start and end token.
            "bos_token_id": geometry.vocabulary - 2,
            "eos_token_id": geometry.vocabulary - 1 if end_token is None else end_token,
        },
    )
    with torch.device("meta"):
        model = model_class(config)
    for part in (model.vision_model, model.text_model):
        count = part.embeddings.position_ids.shape[1]
        part.embeddings.position_ids = torch.arange(count).expand(1, -1)
    return model


def _without_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    if not all(name.startswith(prefix) for name in tensors):
        return tensors
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}


def _without_position_numbers(path: Path, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Drop buffers that number the positions, such as `visual.position_ids` of CenterCLIP's vision tower.

    Raises:
        CheckpointError: they number them otherwise than 0, 1, 2...
    """
    buffers = [name for name in tensors if name.split(".")[-1] == "position_ids"]
    for name in buffers:
        numbers = tensors[name].flatten()
        if not torch.equal(numbers, torch.arange(len(numbers)).to(numbers.dtype)):
            raise CheckpointError(f"{path}: {name} must number the positions 0, 1, 2...: download it again")
    return {name: tensor for name, tensor in tensors.items() if name not in buffers}


def _canonical(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename variants to OpenAI's names, and drop everything that isn't a weight."""
    if "text.token_embedding.weight" in tensors:  # open_clip's CustomTextCLIP
        tensors = {name.removeprefix("text."): tensor for name, tensor in tensors.items()}
    # TorchScript archives contain the causal mask as an attribute of each text block.
    kept = {name: t for name, t in tensors.items() if name not in _NUMBERS and not name.endswith("attn_mask")}
    if "logit_scale" in kept and kept["logit_scale"].shape == (1,):
        kept["logit_scale"] = kept["logit_scale"][0]
    return kept
