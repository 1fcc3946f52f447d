"""Moments on their way out of the program: cut to files of their own, or listed for editing programs."""

from typing import TYPE_CHECKING

from centerclip.lazy import lazy_names

if TYPE_CHECKING:
    from centerclip.clips.cutting import Clip, cut, cut_moments
    from centerclip.clips.edit_list import EDIT_LISTS, EditList, make_edit_list
    from centerclip.clips.moment import Moment, clip_name
    from centerclip.clips.reel import Reel, make_reel

__all__ = [
    "EDIT_LISTS",
    "Clip",
    "EditList",
    "Moment",
    "Reel",
    "clip_name",
    "cut",
    "cut_moments",
    "make_edit_list",
    "make_reel",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "centerclip.clips.cutting": ("Clip", "cut", "cut_moments"),
        "centerclip.clips.edit_list": ("EDIT_LISTS", "EditList", "make_edit_list"),
        "centerclip.clips.moment": ("Moment", "clip_name"),
        "centerclip.clips.reel": ("Reel", "make_reel"),
    },
)
