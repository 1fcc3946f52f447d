"""The toy world: short videos of drawn things that move, with captions, made from a seed.

A world in which the whole loop (render, train, evaluate, index, search) runs anywhere, with nothing to
download and no license to ask for.
"""

from __future__ import annotations

from centerclip.lab.toy_world.grammar import captions, reversed_caption
from centerclip.lab.toy_world.library import Moment, library_moments, render_library
from centerclip.lab.toy_world.render import render_toy_world
from centerclip.lab.toy_world.sampling import sample_clip, sample_scene
from centerclip.lab.toy_world.scenes import Actor, Scene, draw

__all__ = [
    "Actor",
    "Moment",
    "Scene",
    "captions",
    "draw",
    "library_moments",
    "render_library",
    "render_toy_world",
    "reversed_caption",
    "sample_clip",
    "sample_scene",
]
