"""Pictures of the patches that a model keeps, as a PNG sheet or an HTML page."""

from centerclip.inspect.page import draw_page
from centerclip.inspect.sheet import draw_sheet
from centerclip.inspect.views import Footage, View, inspect_footage, read_footage

__all__ = ["Footage", "View", "draw_page", "draw_sheet", "inspect_footage", "read_footage"]
