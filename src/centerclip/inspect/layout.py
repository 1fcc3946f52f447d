"""Where everything stands on a sheet: a panel a view, in it a card a segment, in it the frames in lines.

Pixels only: knows no pictures and no text but the widths it has to leave room for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["LAYER_GAP", "MARGIN", "Card", "Panel", "Plan", "Slot", "arrange"]

MARGIN, GAP, LAYER_GAP, CAPTION = 24, 10, 5, 22
HEAD, PANEL_HEAD, CARD_HEAD, FOOT = 64, 62, 28, 52
"""Heights of the lines of text over the sheet, a panel and a card, and at the sheet's foot."""
_PAD, _BETWEEN_CARDS, _BETWEEN_PANELS = 10, 14, 36
_WIDTH, _LEAST_WIDTH = 1320, 660
_CELLS = (196, 84)
"""Pixels of a frame's longer side, at most and at least."""
_MOST_TALL = 1.6
"""How much taller than wide a sheet may be before its frames are drawn smaller."""
_ACROSS = 3
"""Panels side by side at most."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of a frame: its upper left corner."""

    frame: int
    left: int
    top: int


@dataclass(frozen=True, slots=True)
class Card:
    """The place of a segment."""

    segment: int
    box: tuple[int, int, int, int]
    slots: tuple[Slot, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """The place of a view."""

    left: int
    top: int
    width: int
    cards: tuple[Card, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A sheet: its size in pixels, that of a frame on it, and its panels in order."""

    width: int
    height: int
    cell: tuple[int, int]
    panels: tuple[Panel, ...]


def arrange(views: Sequence[Sequence[int]], grid: tuple[int, int], *, layers: int, least_width: int) -> Plan:
    """Choose the largest frames with which a sheet is neither too wide nor too tall, and place them.

    Args:
        views: for each, the segment of each frame, ascending.
        grid: (rows, columns) of patches; a frame's sides are multiples of them, so that patches are alike.
        layers: pictures of each frame, one below the other.
        least_width: what the text over a panel needs.
    """
    longest = max(grid)
    sizes = range(max(1, _CELLS[0] // longest), max(1, _CELLS[1] // longest) - 1, -1)
    plans = (_place(views, (grid[0] * n, grid[1] * n), layers, least_width) for n in sizes)
    best = None
    for plan in plans:
        if best is None or plan.height / plan.width < best.height / best.width:
            best = plan
        if plan.width <= _WIDTH and plan.height <= _MOST_TALL * plan.width:
            return plan
    assert best is not None
    return best


def _place(views: Sequence[Sequence[int]], cell: tuple[int, int], layers: int, least_width: int) -> Plan:
    rows = -(-len(views) // _ACROSS)
    across = -(-len(views) // rows)
    room = (_WIDTH - 2 * MARGIN - (across - 1) * _BETWEEN_PANELS) // across
    panels: list[Panel] = []
    right, top = 0, MARGIN + HEAD
    for first in range(0, len(views), across):
        left, bottom = MARGIN, top
        for segments in views[first : first + across]:
            panel, end = _panel(segments, cell, layers, (left, top), room, least_width)
            panels.append(panel)
            left += panel.width + _BETWEEN_PANELS
            bottom = max(bottom, end)
        right = max(right, left - _BETWEEN_PANELS)
        top = bottom + _BETWEEN_PANELS
    width = max(right + MARGIN, _LEAST_WIDTH)
    return Plan(width, top - _BETWEEN_PANELS + FOOT + MARGIN, cell, tuple(panels))


def _panel(
    segments: Sequence[int],
    cell: tuple[int, int],
    layers: int,
    corner: tuple[int, int],
    room: int,
    least_width: int,
) -> tuple[Panel, int]:
    """A panel, and where it ends."""
    frames_of = {s: [t for t, own in enumerate(segments) if own == s] for s in sorted(set(segments))}
    columns = max(1, (room - 2 * _PAD + GAP) // (cell[1] + GAP))
    columns = min(columns, max(map(len, frames_of.values())))
    card_width = columns * (cell[1] + GAP) - GAP + 2 * _PAD
    cards_across = max(1, (room + _BETWEEN_CARDS) // (card_width + _BETWEEN_CARDS))
    cards: list[Card] = []
    top = corner[1] + PANEL_HEAD
    for first in range(0, len(frames_of), cards_across):
        bottom = top
        line = list(frames_of.items())[first : first + cards_across]
        for number, (segment, frames) in enumerate(line):
            left = corner[0] + number * (card_width + _BETWEEN_CARDS)
            card = _card(segment, frames, (left, top), columns, cell, layers)
            cards.append(card)
            bottom = max(bottom, card.box[3])
        top = bottom + _BETWEEN_CARDS
    width = max(least_width, max(card.box[2] for card in cards) - corner[0])
    return Panel(*corner, width, tuple(cards)), top - _BETWEEN_CARDS


def _card(
    segment: int,
    frames: Sequence[int],
    corner: tuple[int, int],
    columns: int,
    cell: tuple[int, int],
    layers: int,
) -> Card:
    height, width = cell
    line_height = layers * (height + LAYER_GAP) + CAPTION + LAYER_GAP
    slots = tuple(
        Slot(
            frame,
            corner[0] + _PAD + number % columns * (width + GAP),
            corner[1] + CARD_HEAD + number // columns * line_height,
        )
        for number, frame in enumerate(frames)
    )
    right = max(slot.left for slot in slots) + width + _PAD
    bottom = slots[-1].top + line_height
    return Card(segment, (*corner, right, bottom), slots)
