"""Places the parts of a sheet: one panel per view with one card per segment, which contains the frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["LAYER_GAP", "MARGIN", "Card", "Panel", "Plan", "Slot", "arrange"]

MARGIN, GAP, LAYER_GAP, CAPTION = 24, 10, 5, 22
HEAD, PANEL_HEAD, CARD_HEAD, FOOT = 64, 62, 28, 52
"""Heights of the text above the sheet, above a panel and above a card, and below the sheet."""
_PAD, _BETWEEN_CARDS, _BETWEEN_PANELS = 10, 14, 36
_MAX_WIDTH, _MIN_WIDTH = 1320, 660
_CELLS = (196, 84)
"""Maximum and minimum pixels of a frame's longer side."""
_MAX_ASPECT = 1.6
"""Maximum height of a sheet by its width; above it, frames are drawn smaller."""
_ACROSS = 3
"""Maximum panels per row."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A frame and its upper left corner."""

    frame: int
    left: int
    top: int


@dataclass(frozen=True, slots=True)
class Card:
    """A segment, its (left, top, right, bottom) and its frames."""

    segment: int
    box: tuple[int, int, int, int]
    slots: tuple[Slot, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """A view's upper left corner, width and segments."""

    left: int
    top: int
    width: int
    cards: tuple[Card, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The size of a sheet and of its frames (height, width) in pixels, and its panels."""

    width: int
    height: int
    cell: tuple[int, int]
    panels: tuple[Panel, ...]


def arrange(views: Sequence[Sequence[int]], grid: tuple[int, int], *, layers: int, min_width: int) -> Plan:
    """Place frames as large as possible, so that the sheet is neither too wide nor too tall.

    Args:
        views: the segment of each frame, ascending, for each view.
        grid: (rows, columns) of patches; height and width of a frame are multiples of them.
        layers: pictures per frame, one below the other.
        min_width: width of the text above a panel.
    """
    longest = max(grid)
    sizes = range(max(1, _CELLS[0] // longest), max(1, _CELLS[1] // longest) - 1, -1)
    plans: list[Plan] = []
    for n in sizes:
        plan = _place(views, (grid[0] * n, grid[1] * n), layers, min_width)
        if plan.width <= _MAX_WIDTH and plan.height <= _MAX_ASPECT * plan.width:
            return plan
        plans.append(plan)
    return min(plans, key=lambda plan: plan.height / plan.width)


def _place(views: Sequence[Sequence[int]], cell: tuple[int, int], layers: int, min_width: int) -> Plan:
    rows = -(-len(views) // _ACROSS)
    across = -(-len(views) // rows)
    room = (_MAX_WIDTH - 2 * MARGIN - (across - 1) * _BETWEEN_PANELS) // across
    panels: list[Panel] = []
    right, top = 0, MARGIN + HEAD
    for first in range(0, len(views), across):
        left, bottom = MARGIN, top
        for segments in views[first : first + across]:
            panel, end = _panel(segments, cell, layers, (left, top), room, min_width)
            panels.append(panel)
            left += panel.width + _BETWEEN_PANELS
            bottom = max(bottom, end)
        right = max(right, left - _BETWEEN_PANELS)
        top = bottom + _BETWEEN_PANELS
    width = max(right + MARGIN, _MIN_WIDTH)
    return Plan(width, top - _BETWEEN_PANELS + FOOT + MARGIN, cell, tuple(panels))


def _panel(
    segments: Sequence[int],
    cell: tuple[int, int],
    layers: int,
    corner: tuple[int, int],
    room: int,
    min_width: int,
) -> tuple[Panel, int]:
    """Return a panel and its bottom."""
    frames_of = {s: [t for t, own in enumerate(segments) if own == s] for s in sorted(set(segments))}
    columns = max(1, (room - 2 * _PAD + GAP) // (cell[1] + GAP))
    columns = min(columns, max(map(len, frames_of.values())))
    card_width = columns * (cell[1] + GAP) - GAP + 2 * _PAD
    cards_across = max(1, (room + _BETWEEN_CARDS) // (card_width + _BETWEEN_CARDS))
    line_height = layers * (cell[0] + LAYER_GAP) + CAPTION + LAYER_GAP
    cards: list[Card] = []
    top = corner[1] + PANEL_HEAD
    for number, (segment, frames) in enumerate(frames_of.items()):
        if number and number % cards_across == 0:
            top = max(card.box[3] for card in cards) + _BETWEEN_CARDS
        left = corner[0] + number % cards_across * (card_width + _BETWEEN_CARDS)
        slots = tuple(
            Slot(
                frame,
                left + _PAD + place % columns * (cell[1] + GAP),
                top + CARD_HEAD + place // columns * line_height,
            )
            for place, frame in enumerate(frames)
        )
        right = max(slot.left for slot in slots) + cell[1] + _PAD
        cards.append(Card(segment, (left, top, right, slots[-1].top + line_height), slots))
    width = max(min_width, max(card.box[2] for card in cards) - corner[0])
    return Panel(*corner, width, tuple(cards)), max(card.box[3] for card in cards)
