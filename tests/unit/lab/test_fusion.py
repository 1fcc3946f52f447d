"""Pictures and words find together what neither finds alone, with the bundled model and drawn videos."""

from __future__ import annotations

from pathlib import Path

from page_server import draw_library

from centerclip.embedding import VideoEncoder
from centerclip.index import VideoIndex
from centerclip.indexing import sync
from centerclip.lab.fusion import measure_fusion, write_subtitles
from centerclip.lab.toy_world import LibraryMoment
from centerclip.model import CenterCLIP
from centerclip.search import Searcher

MOMENTS = [
    LibraryMoment("garden/apple.mp4", 0.0, 4.0, "a green apple grows", "meadow", ("green apple",)),
    LibraryMoment("garden/kite.avi", 0.0, 6.0, "an orange kite rises", "meadow", ("orange kite",)),
    LibraryMoment("harbor/boat.mp4", 0.0, 4.0, "a white sailboat on the sea", "sea", ("white sailboat",)),
    LibraryMoment("night/sky.mp4", 9.0, 18.0, "a green ufo in the night sky", "night sky", ("green ufo",)),
    LibraryMoment("town/car.mp4", 0.0, 5.0, "a red car in the city", "city", ("red car",)),
]


def test_both_find_more_than_either(tmp_path: Path) -> None:
    folder = draw_library(tmp_path / "library")
    questions = write_subtitles(folder, MOMENTS)
    encoder = VideoEncoder(CenterCLIP.from_pretrained("nano"), device="cpu", name="nano")
    index = VideoIndex(tmp_path / "index")
    list(sync(index, [folder], encoder))
    found = measure_fusion(Searcher(index, encoder), folder, questions)
    first = {(one.kind, one.sense): one.first for one in found}
    assert all(one.queries == 5 for one in found)
    assert first["caption", "seen"] >= 4
    assert first["caption", "said"] == 3  # every second scene is described
    assert first["caption", "both"] >= 4
    assert first["topic", "seen"] <= 3
    assert first["topic", "said"] == first["topic", "both"] == 5
