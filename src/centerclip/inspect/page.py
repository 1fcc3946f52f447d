"""Draws a single-file HTML page for use offline. Pointing at a patch highlights its cluster."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from string import Template

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from centerclip.inspect.patches import cluster_colors
from centerclip.inspect.sheet import legend, printable, stretch
from centerclip.inspect.views import Footage, View

__all__ = ["draw_page"]

_WIDE, _NARROW = 6, 3
"""Maximum frames per row of a segment, on a large screen and on a phone."""


def draw_page(footage: Footage, views: Sequence[View]) -> str:
    """Return a page that shows the result of one or several reductions of a window.

    Args:
        footage: the frames, which are embedded as JPEG.
        views: at least one, of these frames.
    """
    template = Template(files(__package__).joinpath("page.html").read_text(encoding="utf-8"))
    pictures = "\n".join(
        f".f{number} {{ background-image: url(data:image/jpeg;base64,{_jpeg(picture)}); }}"
        for number, picture in enumerate(footage.pictures)
    )
    clustered = any(view.labels is not None for view in views)
    return template.substitute(
        title=escape(printable(footage.name)),
        stretch=escape(stretch(footage)),
        pictures=pictures,
        panels="\n".join(_panel(view, footage, clustered=clustered) for view in views),
        legend=" ".join(map(escape, legend(views))),
        hint="Point at a patch to see its cluster." if clustered else "",
    )


def _panel(view: View, footage: Footage, *, clustered: bool) -> str:
    colors = None if view.labels is None else cluster_colors(view)
    cards = []
    for segment in sorted(set(view.segments)):
        frames = [frame for frame, own in enumerate(view.segments) if own == segment]
        columns = f"--wide: {min(len(frames), _WIDE)}; --narrow: {min(len(frames), _NARROW)}"
        figures = "\n".join(_figure(view, frame, footage, colors, clustered=clustered) for frame in frames)
        cards.append(
            f'<section class="card"><h3>segment {segment + 1}</h3>'
            f'<div class="frames" style="{columns}">\n{figures}\n</div></section>'
        )
    head = f"<h2>{escape(view.reducer)}</h2><p>{escape(view.summary)}</p>"
    return f'<section class="panel">{head}<div class="cards">\n{"".join(cards)}\n</div></section>'


def _figure(
    view: View, frame: int, footage: Footage, colors: NDArray[np.uint8] | None, *, clustered: bool
) -> str:
    patches, counts = view.grid[0] * view.grid[1], view.counts
    time = f"{footage.seconds[frame]:.1f} s"
    kept = "" if counts is None else f"{counts[frame]} of {patches}"
    label = f"frame at {time}" + (f", {kept} patches kept" if kept else "")
    dropped = "" if view.kept is None else f'<path class="off" d="{_outline(~view.kept[frame], view.grid)}"/>'
    clusters = list(_clusters(view, frame, colors))
    ghosts = "".join(
        f'<path data-c="{name}" data-n="{count}" d="{shape}"/>' for name, _, count, shape in clusters
    )
    layers = [_layer("kept", frame, view.grid, dropped + ghosts, label)]
    if colors is not None:
        areas = "".join(
            f'<path data-c="{name}" fill="{color}" d="{shape}"/>' for name, color, _, shape in clusters
        )
        centers = [] if view.kept is None else np.flatnonzero(view.kept[frame]).tolist()
        marks = "".join(
            f'<rect x="{place % view.grid[1] + 0.08:g}" y="{place // view.grid[1] + 0.08:g}" '
            'width=".84" height=".84"/>'
            for place in centers
        )
        edges = f'<path class="edge" d="{_edges(view, frame)}"/>'
        layers.append(_layer("clusters", frame, view.grid, areas + edges + marks, f"clusters of the {label}"))
    elif clustered:
        layers.append('<div class="clusters none">no clusters</div>')
    caption = f"<figcaption><span>{time}</span><b>{kept}</b></figcaption>"
    return f"<figure>{''.join(layers)}{caption}</figure>"


def _layer(kind: str, frame: int, grid: tuple[int, int], shapes: str, label: str) -> str:
    rows, columns = grid
    return (
        f'<div class="{kind}" role="img" aria-label="{escape(label)}" style="aspect-ratio: {columns}/{rows}">'
        f'<i class="f{frame}"></i><svg viewBox="0 0 {columns} {rows}" aria-hidden="true">{shapes}</svg></div>'
    )


def _clusters(
    view: View, frame: int, colors: NDArray[np.uint8] | None
) -> Iterator[tuple[str, str, int, str]]:
    """Yield the name, color, number of patches and outline of each cluster in a frame."""
    if view.labels is None or colors is None:
        return
    labels = view.labels[frame]
    for label in np.unique(labels).tolist():
        own = labels == label
        color = "#" + colors[frame][own][0].tobytes().hex()
        yield f"{view.segments[frame]}-{label}", color, int(own.sum()), _outline(own, view.grid)


def _outline(patches: NDArray[np.bool_], grid: tuple[int, int]) -> str:
    """Return an SVG path that covers patches [P], row by row."""
    runs = []
    for row, line in enumerate(patches.reshape(grid)):
        edges = np.flatnonzero(np.diff(line.astype(np.int8), prepend=0, append=0)).tolist()
        runs += [
            f"M{start} {row}h{end - start}v1h{start - end}z"
            for start, end in zip(edges[::2], edges[1::2], strict=True)
        ]
    return "".join(runs)


def _edges(view: View, frame: int) -> str:
    """Return an SVG path between the clusters of a frame."""
    assert view.labels is not None
    grid = view.labels[frame].reshape(view.grid)
    down = [f"M{x + 1} {y}v1" for y, x in np.argwhere(grid[:, 1:] != grid[:, :-1]).tolist()]
    across = [f"M{x} {y + 1}h1" for y, x in np.argwhere(grid[1:] != grid[:-1]).tolist()]
    return "".join(down + across)


def _jpeg(picture: NDArray[np.uint8]) -> str:
    """Return a picture as JPEG in base64."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=88)
    return base64.b64encode(file.getvalue()).decode("ascii")
