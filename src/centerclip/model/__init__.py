"""Dual encoders with a token schedule: `CenterCLIP`, its backbones, and models on disk and by name."""

from centerclip.model.backbones import Backbone, CLIPBackbone, SiglipBackbone, make_backbone
from centerclip.model.centerclip import CenterCLIP
from centerclip.model.encoded import Encoded, Stage
from centerclip.model.loading import default_schedule
from centerclip.model.tower import Tower
from centerclip.preprocessing import Preprocessing

__all__ = [
    "Backbone",
    "CLIPBackbone",
    "CenterCLIP",
    "Encoded",
    "Preprocessing",
    "SiglipBackbone",
    "Stage",
    "Tower",
    "default_schedule",
    "make_backbone",
]
