"""`centerclip inspect`: pictures of what the model keeps of a video."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from centerclip.cli import options
from centerclip.cli.formats import count
from centerclip.cli.options import argument, option
from centerclip.cli.output import note, write_json, write_paths
from centerclip.errors import ConfigError, ScheduleError
from centerclip.naming import REDUCERS

if TYPE_CHECKING:
    from centerclip.clustering.reducers import Reducer
    from centerclip.inspect import Footage, View
    from centerclip.model import CenterCLIP
    from centerclip.records import Window

__all__ = ["inspect"]


def inspect(
    video: Annotated[Path, argument("VIDEO")],
    at: Annotated[
        float | None,
        option("Show the window that this second lies in; by default the first.", metavar="SEC", min=0.0),
    ] = None,
    window: Annotated[
        float, typer.Option(min=0.1, metavar="SEC", help="Cut longer videos into windows this long.")
    ] = 12.0,
    frames: Annotated[
        int | None, option("Frames of a window; by default the model's.", metavar="N", min=1)
    ] = None,
    model: options.AnyModel = None,
    backbone: options.Backbone = None,
    schedule: options.Schedule = None,
    reducer: Annotated[
        list[str] | None,
        option(
            f"{', '.join(REDUCERS)}, with options as in 'spectral(graph=knn)', or your own as module:Class; "
            "several are shown side by side; by default the model's.",
            metavar="NAME",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        option(
            "The picture; by default NAME.inspect.png in this folder, unless --html is given.",
            metavar="FILE.png",
        ),
    ] = None,
    html: Annotated[
        Path | None, option("A page in one file, where clusters can be pointed at.", metavar="FILE.html")
    ] = None,
    force: Annotated[bool, option("Overwrite files that exist.", "--force")] = False,
    json: options.Json = False,
    device: options.Device = "auto",
) -> None:
    """Draw which patches of a video the model keeps, and its clusters in color.

    The frames of a window stand in their segments, in the order of time, with the second at which each is
    shown and the number of its kept patches. Dropped patches are dimmed. Below each frame its clusters are
    colored and their medoids outlined. Of a schedule of several stages each is shown.

    Prints the paths of what it has written; with --json what was kept, one object a stage.

    \b
    Examples:
      centerclip inspect clip.mp4
      centerclip inspect film.mp4 --at 754 --reducer kmedoids --reducer spectral --html film.html
      centerclip inspect clip.mp4 --schedule 'B3-6,49;B9-3,49' --reducer 'kmedoids(metric=cosine)'
    """
    from centerclip.clustering.reducers import parse_reducer
    from centerclip.inspect import draw_page, draw_sheet, read_footage
    from centerclip.video import VideoReader, cut_windows

    names = options.names(reducer)
    reducers = [parse_reducer(name) for name in names]
    if output is None and html is None:
        output = Path(f"{video.stem}.inspect.png")
    targets = {".png": output, ".html": html}
    written = [_writable(path, suffix, video, force=force) for suffix, path in targets.items() if path]
    with VideoReader(video) as reader:
        windows = cut_windows(reader.info.duration_seconds, window, cuts=reader.scene_cuts())
        chosen = _window_at(windows, at)
        models = _models(model, schedule, reducers, frames, device, backbone)
        footage = read_footage(reader, chosen, models[0])
    if len(windows) > 1 and at is None:
        note(f"This is the first of {count(len(windows), 'window')}; --at SECONDS shows another.")
    if len(footage.seconds) < models[0].frames:
        note(f"The window has {count(len(footage.seconds), 'frame')} that differ, not {models[0].frames}.")
    views = [view for each in models for view in _views(each, footage)]
    if output is not None:
        draw_sheet(footage, views).save(output, "PNG", optimize=True)
    if html is not None:
        html.write_text(draw_page(footage, views), encoding="utf-8")
    if json:
        for view in views:
            write_json(_record(view, footage, video, written))
    else:
        write_paths(written, null=False)


def _writable(path: Path, suffix: str, video: Path, *, force: bool) -> Path:
    """Check, before any work is done, that a file may be written.

    Raises:
        ConfigError: it has another suffix, exists, or has no folder.
    """
    if path.suffix.lower() != suffix:
        raise ConfigError(f"{path}: the name of this file must end in {suffix}")
    if not path.parent.is_dir():
        raise ConfigError(f"{path}: there is no folder {path.parent}; make it first")
    if path.exists():
        if video.exists() and path.samefile(video):
            raise ConfigError(f"{path} is the video itself: give another name")
        if not force:
            raise ConfigError(f"{path} exists: give another name, or --force to overwrite it")
    return path


def _window_at(windows: Sequence[Window], at: float | None) -> Window:
    last = windows[-1].end_seconds
    if at is not None and at > last:
        raise typer.BadParameter(f"{at:g} is beyond the video's end at {last:.1f} seconds", param_hint="--at")
    return next((w for w in windows if at is None or at < w.end_seconds), windows[-1])


def _models(
    name: str | None,
    schedule: str | None,
    reducers: Sequence[Reducer],
    frames: int | None,
    device: str,
    backbone: str | None,
) -> list[CenterCLIP]:
    """The model once for each reducer, over the same weights."""
    from centerclip.cli.loading import load_model, model_name
    from centerclip.embedding.device import choose_device

    loaded = load_model(model_name(name), schedule=schedule, frames=frames, backbone=backbone).to(
        choose_device(device)
    )
    if not loaded.schedule:
        raise ScheduleError(
            "with the schedule none every patch is kept, so there is nothing to see: give one that reduces, "
            "such as --schedule B6-4,49"
        )
    return [loaded.with_(reducer=reducer) for reducer in reducers or [loaded.reducer]]


def _views(model: CenterCLIP, footage: Footage) -> list[View]:
    from centerclip.inspect import inspect_footage

    name = model.reducer.label
    try:
        views = inspect_footage(model, footage)
    except ValueError as error:  # a reducer that asks for class tokens, of a model that has none
        raise ConfigError(f"reducer {name} can't be used with this model: {error}") from error
    if views[-1].kept is None and views[-1].labels is None:
        note(f"{name} blends tokens and tells no clusters: its frames are shown as they are.")
    elif views[-1].kept is None:
        note(f"{name} blends the tokens of a cluster: no patch is dropped, so only its clusters are shown.")
    return views


def _record(view: View, footage: Footage, video: Path, written: Sequence[Path]) -> dict[str, Any]:
    frames = [
        {
            "seconds": seconds,
            "segment": view.segments[frame],
            "kept": None if view.kept is None else view.kept[frame].nonzero()[0].tolist(),
            "labels": None if view.labels is None else view.labels[frame].tolist(),
        }
        for frame, seconds in enumerate(footage.seconds)
    ]
    return {
        "path": str(video),
        "start": footage.window.start_seconds,
        "end": footage.window.end_seconds,
        "reducer": view.reducer,
        "stage": str(view.reduction),
        "tokens_before": view.tokens_before,
        "tokens_after": view.tokens_after,
        "grid": list(view.grid),
        "frames": frames,
        "pictures": [str(path) for path in written],
    }
