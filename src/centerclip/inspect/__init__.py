"""Pictures of what a model keeps of a video: a sheet and a page.

Owns how a reduction looks to people; `CenterCLIP.encode(..., trace=True)` tells it what was kept.
"""

from centerclip.inspect.page import draw_page
from centerclip.inspect.sheet import draw_sheet
from centerclip.inspect.views import Footage, View, inspect_footage, read_footage

__all__ = [
    "Footage",
    "View",
    "draw_page",
    "draw_sheet",
    "inspect_footage",
    "read_footage",
]
