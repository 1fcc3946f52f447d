"""Pictures of what a model keeps of a video: a sheet, a page, an animation.

Owns how a reduction looks to people; what was kept it learns from `CenterCLIP.trace`.
"""

from centerclip.inspect.animation import draw_animation, save_animation
from centerclip.inspect.page import draw_page
from centerclip.inspect.sheet import draw_sheet
from centerclip.inspect.views import Footage, View, inspect_footage, read_footage

__all__ = [
    "Footage",
    "View",
    "draw_animation",
    "draw_page",
    "draw_sheet",
    "inspect_footage",
    "read_footage",
    "save_animation",
]
