"""`centerclip inspect`: pictures of the patches that the model keeps."""

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
        option(
            "Show the window that contains this second. Default: the first window.", metavar="SEC", min=0.0
        ),
    ] = None,
    window: Annotated[float, typer.Option(min=0.1, metavar="SEC", help="Maximum length of a window.")] = 12.0,
    frames: Annotated[
        int | None, option("Frames per window. Default: the model's own.", metavar="N", min=1)
    ] = None,
    model: options.Model = None,
    backbone: options.Backbone = None,
    schedule: Annotated[
        str | None, option(f"{options.STAGES} Default: the model's own.", metavar="STAGES")
    ] = None,
    reducer: Annotated[
        list[str] | None,
        option(
            f"{options.REDUCER_NAMES} Repeat to show several side by side. Default: the model's own.",
            metavar="NAME",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        option(
            "Picture to write. Default: VIDEO.inspect.png in this folder, unless --html is given.",
            metavar="FILE.png",
        ),
    ] = None,
    html: Annotated[
        Path | None, option("Write an interactive page, as a single file.", metavar="FILE.html")
    ] = None,
    force: Annotated[bool, option("Overwrite existing files.", "--force")] = False,
    json: options.Json = False,
    device: options.Device = "auto",
) -> None:
    """Draw which patches of a video the model keeps.

    The picture shows a window's frames by segment, each with its time and its number of kept patches.
    Dropped patches are dimmed. Below each frame, clusters are in color, with their medoids outlined. If the
    schedule has several stages, each is shown.

    Prints the paths of the files it has written. --json prints the kept patches instead, one object per
    stage.

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
        windows = cut_windows(reader.duration_seconds, window, cuts=reader.scene_cuts(), frames=reader.frames)
        chosen = _window_at(windows, at)
        models = _models(model, schedule, reducers, frames, device, backbone)
        footage = read_footage(reader, chosen, models[0])
    if len(windows) > 1 and at is None:
        note(f"This is the first of {count(len(windows), 'window')}; to show another, add --at SECONDS.")
    if len(footage.seconds) < models[0].frames:
        different = count(len(footage.seconds), "different frame")
        note(f"The window has only {different}; the model uses up to {models[0].frames}.")
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
    """Check, before any work is done, that a file can be written.

    Raises:
        ConfigError: the file has another suffix, exists, or its folder doesn't exist.
    """
    if path.suffix.lower() != suffix:
        raise ConfigError(f"{path}: the name of this file must end in {suffix}")
    if not path.parent.is_dir():
        raise ConfigError(f"{path}: folder not found: {path.parent}. Create it first")
    if path.exists():
        if video.exists() and path.samefile(video):
            raise ConfigError(f"{path} is the video itself: choose another name")
        if not force:
            raise ConfigError(f"{path} exists: choose another name, or overwrite it with --force")
    return path


def _window_at(windows: Sequence[Window], at: float | None) -> Window:
    last = windows[-1].end_seconds
    if at is not None and at > last:
        raise typer.BadParameter(f"{at:g} is after the video's end at {last:.1f} seconds", param_hint="--at")
    return next((w for w in windows if at is None or at < w.end_seconds), windows[-1])


def _models(
    name: str | None,
    schedule: str | None,
    reducers: Sequence[Reducer],
    frames: int | None,
    device: str,
    backbone: str | None,
) -> list[CenterCLIP]:
    """Load the model, and return it once per reducer, with the same weights."""
    from centerclip.cli.loading import load_model, model_name
    from centerclip.embedding.device import choose_device

    loaded = load_model(model_name(name, device), schedule=schedule, frames=frames, backbone=backbone).to(
        choose_device(device)
    )
    if not loaded.schedule:
        raise ScheduleError("the schedule none keeps every patch: choose another, such as --schedule B6-4,49")
    return [loaded.with_(reducer=reducer) for reducer in reducers or [loaded.reducer]]


def _views(model: CenterCLIP, footage: Footage) -> list[View]:
    from centerclip.inspect import inspect_footage

    name = model.reducer.label
    try:
        views = inspect_footage(model, footage)
    except ValueError as error:  # a reducer that needs class tokens, with a model that has none
        raise ConfigError(f"reducer {name} can't be used with this model: {error}") from error
    if views[-1].kept is None and views[-1].labels is None:
        note(f"{name} blends tokens without clusters, so its frames are shown unchanged.")
    elif views[-1].kept is None:
        note(f"{name} blends the tokens of a cluster and drops none, so only its clusters are shown.")
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
