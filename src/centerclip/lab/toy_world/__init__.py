"""The toy world: short captioned videos of drawn things that move, generated from a seed.

With it, rendering, training, evaluation, indexing and search run anywhere: no download, no license to obtain.
"""

from centerclip.lab.toy_world.grammar import captions, opposite_caption, pair_captions
from centerclip.lab.toy_world.library import LibraryMoment, library_moments, render_library
from centerclip.lab.toy_world.render import render_toy_world
from centerclip.lab.toy_world.sampling import sample_clip, sample_scene
from centerclip.lab.toy_world.scenes import Actor, Scene, draw

__all__ = [
    "Actor",
    "LibraryMoment",
    "Scene",
    "captions",
    "draw",
    "library_moments",
    "opposite_caption",
    "pair_captions",
    "render_library",
    "render_toy_world",
    "sample_clip",
    "sample_scene",
]
