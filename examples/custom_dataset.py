"""Evaluation on a data set of one's own: python examples/custom_dataset.py [FOLDER]

The folder holds videos, each with its captions in a text file of the same name, one a line. A table of
paths and captions needs no code: see the data set `manifest` of `centerclip evaluate`.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import centerclip as cc
from centerclip.datasets import Caption, Dataset, VideoItem
from centerclip.errors import DatasetError
from centerclip.lab.toy_world import render_toy_world, toy_world
from centerclip.video import find_videos


def read_folder(folder: Path) -> Dataset:
    """Make a data set of a folder."""
    videos: list[VideoItem] = []
    captions: list[Caption] = []
    for path in sorted(find_videos([folder])):
        text = path.with_suffix(".txt")
        if not text.is_file():
            raise DatasetError(f"{path} has no captions: write some into {text}")
        lines = text.read_text(encoding="utf-8").splitlines()
        captions += [Caption(line, video=len(videos)) for line in lines]
        videos.append(VideoItem(path.stem, path))
    return Dataset("my-videos", "all", tuple(videos), tuple(captions))


def draw_some(folder: Path) -> Path:
    """Stand in for one's own folder: a few drawn videos with their captions."""
    drawn = toy_world(render_toy_world(folder, train=0, val=0, test=6, workers=1), "test")
    for number, video in enumerate(drawn.videos):
        lines = [caption.text for caption in drawn.captions if caption.video == number]
        video.path.with_suffix(".txt").write_text("\n".join(lines), encoding="utf-8")
    return folder / "test"


def main() -> None:
    with TemporaryDirectory() as made:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else draw_some(Path(made))
        model = cc.CenterCLIP.from_pretrained("nano")
        for result in cc.evaluate(model, read_folder(folder), schedules=["none", "B6-4,49"]):
            recall = result.text_to_video.labeled()["R@1"]
            print(f"{result.schedule}: R@1 {recall.value:.1f} % over {result.captions} captions")


if __name__ == "__main__":
    main()
