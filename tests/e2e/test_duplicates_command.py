"""`centerclip duplicates` on drawn films and copies of them, with the bundled model."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from command_line import Run, assert_refused, in_terminal, without_escapes

from centerclip.cli import main
from centerclip.lab.toy_world.encode import write_video
from centerclip.lab.toy_world.sampling import sample_scene
from centerclip.lab.toy_world.scenes import draw_frames

_SIZE = (120, 160)
_RATE = 8


def _film(path: Path, seed: int, scenes: int) -> Path:
    """Draw a film of several scenes of 2 to 5 seconds."""
    rng = np.random.default_rng(seed)
    drawn = [sample_scene(rng, seconds=float(rng.uniform(2, 5))) for _ in range(scenes)]
    write_video(path, (draw_frames(scene, _RATE, _SIZE) for scene in drawn), fps=_RATE, size=_SIZE)
    return path


def _frames(path: Path) -> list[np.ndarray]:
    with av.open(path) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def _write(path: Path, pictures: list[np.ndarray], *, size: tuple[int, int] = _SIZE) -> None:
    """Encode pictures again, much smaller."""
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(_RATE), options={"crf": "33", "threads": "1"})
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            container.mux(stream.encode(frame.reformat(width=size[1], height=size[0])))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve films, and copies of some."""
    folder = tmp_path_factory.mktemp("library")
    films = [_film(folder / f"film-{at}.mp4", at, 4 + at % 4) for at in range(12)]
    shutil.copy(films[0], folder / "copy.mp4")
    _write(folder / "smaller.mp4", _frames(films[1]), size=(90, 120))
    _write(folder / "cropped.mp4", [frame[8:-8, 10:-10] for frame in _frames(films[2])])
    trimmed = _frames(films[3])
    _write(folder / "trimmed.mp4", trimmed[_RATE * 5 // 2 : -_RATE * 4])
    _write(folder / "faster.mp4", _frames(films[6])[::2])
    _write(folder / "joined.mp4", [*_frames(films[4])[: 6 * _RATE], *_frames(films[5])])
    return folder


@pytest.fixture(scope="module")
def library_index(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("library-index") / "index"
    assert main(["index", str(library), "--index", str(place), "--model", "nano"]) == 0
    return place


def test_copies_are_found_and_nothing_else(run: Run, library_index: Path, library: Path) -> None:
    done = run("duplicates", "--index", library_index, "--json")
    assert done.code == 0
    found = {
        tuple(sorted((Path(pair["first"]["path"]).stem, Path(pair["second"]["path"]).stem))): pair
        for pair in done.records
    }
    # The edges of a crop's first and last scene may be too different.
    assert found.pop(("cropped", "film-2"))["kind"] in ("encoded", "overlap")
    assert {names: pair["kind"] for names, pair in found.items()} == {
        ("copy", "film-0"): "copy",
        ("film-1", "smaller"): "encoded",
        ("film-3", "trimmed"): "contained",
        ("faster", "film-6"): "encoded",
        ("film-4", "joined"): "overlap",
        ("film-5", "joined"): "contained",
    }
    assert found["faster", "film-6"]["speed"] == 0.5
    trimmed = found["film-3", "trimmed"]["first"]
    np.testing.assert_allclose(
        (trimmed["start"], trimmed["end"]), (2.5, trimmed["duration_seconds"] - 4), atol=2
    )
    joined = found["film-5", "joined"]["first"]
    np.testing.assert_allclose((joined["start"], joined["end"]), (6, joined["duration_seconds"]), atol=2)
    assert found["copy", "film-0"]["strength"] == 1
    assert found["film-4", "joined"]["group"] == found["film-5", "joined"]["group"]
    assert len({pair["group"] for pair in done.records}) == 6
    assert "7 pairs in 6 groups" in done.err


def test_output_can_be_filtered_and_piped(run: Run, library_index: Path, library: Path) -> None:
    (row,) = run("duplicates", "--index", library_index, "--kind", "copy").rows
    assert row[1:4] == ["copy", "1.00", "1.000"]
    assert {row[4], row[7]} == {str(library / "copy.mp4"), str(library / "film-0.mp4")}
    strong = run("duplicates", "--index", library_index, "--strength", "0.6").rows
    assert 1 <= len(strong) < 7
    assert all(float(row[2]) >= 0.6 for row in strong)


def test_a_terminal_gets_a_table(library_index: Path) -> None:
    script = "import sys; from centerclip.cli import main; sys.exit(main(sys.argv[1:]))"
    shown = without_escapes(
        in_terminal(script, "duplicates", "--index", library_index, "--strength", "0.3", width=200)
    )
    assert "encoded again" in shown
    assert "faster.mp4, 2x as fast" in shown


def test_mistakes_are_explained(run: Run, library_index: Path, tmp_path: Path) -> None:
    assert_refused(run, "run `centerclip index PATH` first", "duplicates", "--index", tmp_path / "none")
    assert_refused(
        run, "'near' isn't a kind of pair", "duplicates", "--index", library_index, "--kind", "near", code=2
    )
    assert_refused(run, "--strength", "duplicates", "--index", library_index, "--strength", "2", code=2)
