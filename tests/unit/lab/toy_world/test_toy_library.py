"""The demo library: valid scripts, and a list of moments that matches the files."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from centerclip.errors import DatasetError
from centerclip.lab.toy_world import library, library_moments, render_library
from centerclip.lab.toy_world.colors import COLORS
from centerclip.lab.toy_world.motions import MOTIONS
from centerclip.lab.toy_world.places import PLACES
from centerclip.lab.toy_world.scripts import SCRIPTS
from centerclip.lab.toy_world.things import THINGS

LONG = "town/sunday-drive.mp4"
SHORT = "harbor/crab-dance.mp4"


def test_scripts_are_valid() -> None:
    for place, seconds, roles in (scene for script in SCRIPTS.values() for scene in script):
        assert place in PLACES
        assert 3 <= seconds <= 8
        for role in roles:
            assert role.thing in THINGS
            assert role.color in COLORS
            assert role.motion in MOTIONS
    lengths = [sum(seconds for _, seconds, _ in script) for script in SCRIPTS.values()]
    assert len(lengths) == 30
    assert sum(20 <= length <= 60 for length in lengths) == 6


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos of the library, at a small size."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(library, "SCRIPTS", {name: SCRIPTS[name] for name in (SHORT, LONG)})
        patch.setattr(library, "SIZE", (90, 160))
        patch.setattr(library, "FPS", 2)
        return render_library(tmp_path_factory.mktemp("library"), workers=1)


def test_moments_match_the_files(rendered: Path) -> None:
    moments = library_moments(rendered)
    assert [moment.video for moment in moments] == [SHORT] + [LONG] * 6
    with av.open(str(rendered / LONG)) as container:
        stream = container.streams.video[0]
        rate = stream.average_rate
        frames = list(container.decode(stream))
    keys = [frame for frame in frames if frame.key_frame]
    starts = [moment.start_seconds for moment in moments[1:]]
    assert starts == pytest.approx([frame.time for frame in keys])
    assert moments[-1].end_seconds == pytest.approx(float(len(frames) / rate))
    assert moments[1].things == ("red car",)
    assert "red" in moments[1].caption
    for one, other in pairwise(frame.to_ndarray(format="rgb24").astype(int) for frame in keys):
        assert np.abs(one - other).mean() > 15  # scenes look different


def test_other_folders_are_refused(rendered: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="render_library"):
        library_moments(tmp_path)
    with pytest.raises(DatasetError, match="another folder"):
        render_library(rendered, seed=3, workers=1)
