"""Families of models that can't be used, each with what it would need. Knows names only; reads no files."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from centerclip.naming import BACKBONE_CLASSES

__all__ = ["family_needs", "layout_needs", "open_clip_needs"]

_VIT = "choose a model with a plain ViT, such as a CLIP or SigLIP"
_CONVOLUTIONAL = f"its vision tower is convolutional, so it has no tokens to cluster: {_VIT}"
_HIERARCHICAL = f"its vision tower merges patches between blocks by itself: {_VIT}"
_HALF = "it is only a part of a model: give one with a vision tower and a text tower"
_ADAPTER = "write an adapter (a subclass of centerclip.model.Backbone) and give backbone='module:Class'"
_PATCHES = f"it compares words with patches, not with whole frames: {_VIT}"
_FRAMES = f"a second tower needs every one of the frames, but a schedule joins them to segments: {_VIT}"
_FIXED = "choose a SigLIP 2 of fixed resolution, such as google/siglip2-base-patch16-224"

# By `model_type` of transformers.
_FAMILIES: Mapping[str, str] = MappingProxyType(
    {
        "align": f"ALIGN: {_CONVOLUTIONAL}",
        "blip": f"BLIP: its text tower looks at the picture while it reads; {_ADAPTER}",
        "blip-2": f"BLIP-2: a third tower stands between its vision tower and the embeddings; {_ADAPTER}",
        "bridgetower": f"BridgeTower: its towers read each other, so it can't embed a video alone: {_VIT}",
        "clap": f"CLAP: it embeds sound, not pictures: {_VIT}",
        "clip_text_model": _HALF,
        "clip_vision_model": _HALF,
        "clipseg": "CLIPSeg: it marks regions by means of a CLIP: choose openai/clip-vit-base-patch16",
        "groupvit": f"GroupViT: {_HIERARCHICAL}",
        "jina_clip": f"Jina CLIP: its code comes with the weights, and such code is never run; {_ADAPTER}",
        "owlv2": f"OWLv2: {_PATCHES}",
        "owlvit": f"OWL-ViT: {_PATCHES}",
        "pe_audio_video": f"PE-AV: {_FRAMES}",
        "pe_video": f"PE Video: {_FRAMES}",
        "siglip2": "SigLIP 2 NaFlex: a schedule counts on one number of patches, but here it depends on the "
        f"video's shape: {_FIXED}",
        "siglip_vision_model": _HALF,
        "videoprism": f"VideoPrism: {_FRAMES}",
        "vision-text-dual-encoder": f"VisionTextDualEncoder: its towers can be of any kind; {_ADAPTER}",
        "xclip": "X-CLIP: its blocks pass messages between frames: choose the CLIP that it was made from",
    }
)

# By the beginning of the name of a vision tower in timm; the first that fits counts.
_TRUNKS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("convnext", "efficientnet", "fastvit", "mobilenet", "resnet"), _CONVOLUTIONAL),
        **dict.fromkeys(("hiera", "mvit", "swin", "vitamin"), _HIERARCHICAL),
        "eva": f"its blocks rotate queries and keys by position; {_ADAPTER}",
        "vit_base_mci": f"its patches come out of a stack of convolutions; {_ADAPTER}",
        "vit_pe_core": "the weights beside this configuration aren't a PE-Core's: download the model again",
    }
)

_OTHER_TRUNK = (
    "of timm's vision towers, only those of SigLIP (vit_*_siglip_*) and PE-Core (vit_pe_core_*) are; for "
    f"others, {_ADAPTER}"
)
_COCA = f"CoCa: its embeddings are pooled by a captioner's attention; {_ADAPTER}"

# By the beginning of tensor names, for files without a configuration.
_LAYOUTS: Mapping[str, str] = MappingProxyType(
    {
        "visual.layer1.": f"CLIP with a ResNet: {_CONVOLUTIONAL}",
        "text_decoder.": _COCA,
        "image_encoder.model.": f"MobileCLIP: {_CONVOLUTIONAL}",
    }
)


def family_needs(family: object) -> str:
    """Say why a model of `transformers` isn't supported, and what it would need.

    Args:
        family: `model_type` of its configuration.

    Returns:
        The family's name if it is a known one, and the reason.
    """
    if isinstance(family, str) and family in BACKBONE_CLASSES:
        return _HALF
    if isinstance(family, str) and family in _FAMILIES:
        return _FAMILIES[family]
    return f"only {', '.join(BACKBONE_CLASSES)} are; for others, {_ADAPTER}"


def open_clip_needs(model: Mapping[str, Any]) -> str | None:
    """Say why a model of open_clip isn't supported, and what it would need; None if its kind is supported.

    Args:
        model: its `model_cfg`.
    """
    vision, text = model["vision_cfg"], model["text_cfg"]
    if "multimodal_cfg" in model:
        return _COCA
    if isinstance(vision.get("layers"), list):
        return f"CLIP with a ResNet: {_CONVOLUTIONAL}"
    if "hf_model_name" in text:
        return f"its text tower is {text['hf_model_name']}, of another library; {_ADAPTER}"
    if (trunk := vision.get("timm_model_name")) is None:
        return None
    needs = (needs for start, needs in _TRUNKS.items() if str(trunk).startswith(start))
    return f"{trunk}: {next(needs, _OTHER_TRUNK)}"


def layout_needs(names: Collection[str]) -> str | None:
    """Say why a file with these tensor names isn't supported; None if they say nothing."""
    for start, needs in _LAYOUTS.items():
        if any(name.startswith(start) for name in names):
            return needs
    return None
