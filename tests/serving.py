"""A library of small videos behind a real server on this machine, for all tests that use HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import numpy as np
import torch
from fastapi import FastAPI
from tiny_models import clip_model, clip_tokenizer
from videos import make_video

from centerclip.embedding import VideoEncoder
from centerclip.index import VideoIndex
from centerclip.indexing import sync
from centerclip.model import CenterCLIP
from centerclip.serve import ServerSettings, create_app
from centerclip.serve.running import listen, make_server

SECONDS = 8


@dataclass(frozen=True)
class Served:
    """A running server, its application and what it serves."""

    http: httpx.Client
    app: FastAPI
    folder: Path
    index: VideoIndex
    encoder: VideoEncoder

    def id_of(self, name: str) -> str:
        return next(v.info.video_id for v in self.index.videos() if v.info.path.name == name)

    def add(self, name: str, *, shade: int) -> None:
        """Add a video to the library and its index."""
        make_video(self.folder / name, frames=10, draw=lambda n: _scene(n, shade))
        fill(self.encoder, self.index, self.folder)


def tiny_encoder(seed: int = 0) -> VideoEncoder:
    model = CenterCLIP(clip_model(seed), "B2-2,8", frames=4, tokenizer=clip_tokenizer()).eval()
    return VideoEncoder(
        model, device="cpu", precision="float32", window_seconds=4, workers=1, name="/models/tiny"
    )


def make_library(folder: Path) -> None:
    """Files that browsers play, files that they don't, and one that isn't a video."""
    (folder / "Urlaub 2024").mkdir(parents=True)
    make_video(folder / "blue.mp4", frames=10 * SECONDS, draw=lambda n: _scene(n, 10))
    make_video(folder / "Urlaub 2024" / "strand & meer.mp4", frames=40, draw=lambda n: _scene(n, 90))
    make_video(folder / "Urlaub 2024" / "old.avi", frames=40, codec="mpeg4", draw=lambda n: _scene(n, 170))
    keys = {"x264-params": "keyint=10:min-keyint=10:scenecut=0:bframes=2:log-level=-1"}
    make_video(folder / "Urlaub 2024" / "film.mkv", frames=60, options=keys, draw=lambda n: _scene(n, 230))
    (folder / "broken.mp4").write_text("no video", encoding="utf-8")


def fill(encoder: VideoEncoder, index: VideoIndex, folder: Path) -> None:
    with closing(sync(index, [folder], encoder)) as results:
        for _ in results:
            pass


@contextmanager
def serve_library(place: Path, **settings: Any) -> Iterator[Served]:
    """Make a library in a folder, index and serve it."""
    torch.set_num_threads(1)
    folder, encoder = place / "videos", tiny_encoder()
    make_library(folder)
    index = VideoIndex(place / "index")
    fill(encoder, index, folder)
    made = ServerSettings(port=0, folders=(folder,), cache_folder=place / "cache", **settings)
    app = create_app(index, encoder, made)
    with running(app, made) as address, httpx.Client(base_url=address, timeout=60) as http:
        yield Served(http, app, folder, index, encoder)


@contextmanager
def running(app: FastAPI, settings: ServerSettings) -> Iterator[str]:
    """Run an application on a free port; yields its address, which accepts connections at once."""
    with listen(settings) as listening:
        server = make_server(app)
        thread = Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)


def _scene(number: int, shade: int) -> np.ndarray:
    """A color that depends on the shade, with a light bar that moves."""
    drawn = np.empty((48, 64, 3), np.uint8)
    drawn[:] = (shade, 255 - shade, (3 * shade) % 256)
    at = (3 * number) % 50
    drawn[10:30, at : at + 10] = (255 - shade, 200, shade)
    return drawn
