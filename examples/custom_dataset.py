"""Evaluation on your own data set: python examples/custom_dataset.py [FOLDER]

The folder contains videos, each with its captions in a text file of the same name, one per line. From the
folder of this file, the command line and recipes can use the data set too:

    centerclip evaluate --dataset custom_dataset:MY_VIDEOS --videos FOLDER

For a table of paths and captions no code is needed: see the data set `manifest` in docs/recipes.md.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import centerclip as cc
from centerclip.datasets import Annotations, DatasetSpec, load_dataset
from centerclip.errors import DatasetError
from centerclip.lab.toy_world import render_toy_world
from centerclip.records import Item
from centerclip.video import find_videos


def read_folder(folder: Path, split: str) -> Annotations:
    """Read a split; here there is only one."""
    videos: list[Item] = []
    captions: dict[str, list[str]] = {}
    for path in sorted(find_videos([folder])):
        text = path.with_suffix(".txt")
        if not text.is_file():
            raise DatasetError(f"{path} has no captions: write some into {text}")
        captions[str(path)] = text.read_text(encoding="utf-8").splitlines()
        videos.append(Item(path, id=str(path)))
    return Annotations(folder, tuple(videos), captions)


MY_VIDEOS = DatasetSpec("my-videos", read_folder, splits=("all",), reported_splits=("all",))


def draw_some(folder: Path) -> Path:
    """Draw a few videos with captions, in place of your folder."""
    drawn = load_dataset("toy-world", videos=render_toy_world(folder, train=0, val=0, test=6, workers=1))
    for number, video in enumerate(drawn.videos):
        lines = [caption.text for caption in drawn.captions if caption.video == number]
        video.path.with_suffix(".txt").write_text("\n".join(lines), encoding="utf-8")
    return folder / "test"


def main() -> None:
    with TemporaryDirectory() as made:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else draw_some(Path(made))
        model = cc.CenterCLIP.from_pretrained("nano")
        dataset = load_dataset(MY_VIDEOS, videos=folder)
        for result in cc.evaluate(model, dataset, schedules=["none", "B6-4,49"]):
            recall = result.text_to_video.labeled()["R@1"]
            print(f"{result.schedule}: R@1 {recall.value:.1f} % over {result.captions} captions")


if __name__ == "__main__":
    main()
