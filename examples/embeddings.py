"""Embeddings of video files to numpy and parquet: python examples/embeddings.py VIDEO... FOLDER

Writes FOLDER/embeddings.npy, [N, E] float32, and FOLDER/windows.parquet, with the file, seconds and segments
of each embedding. To export an existing index, use `centerclip export`.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

import centerclip as cc
from centerclip.records import Failed


def main() -> None:
    *videos, folder = map(Path, sys.argv[1:])
    encoder = cc.VideoEncoder(cc.CenterCLIP.from_pretrained("nano"))  # or a name on the hub, or a folder
    vectors: list[NDArray[np.float32]] = []
    rows: list[dict[str, Any]] = []
    for video in encoder.encode(videos):  # in the order given; a film has several windows
        if isinstance(video, Failed):
            print(f"{video.path}: {video.reason}", file=sys.stderr)
            continue
        for encoded in video.windows:
            vectors.append(encoded.vector)
            rows.append({
                "path": str(video.info.path),
                "start_seconds": encoded.window.start_seconds,
                "end_seconds": encoded.window.end_seconds,
                "segments": encoded.segments.tolist(),  # [S, E], in time order
            })  # fmt: skip
    if not rows:
        sys.exit("no video could be encoded, so nothing is written")
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "embeddings.npy", np.stack(vectors))
    pq.write_table(pa.Table.from_pylist(rows), folder / "windows.parquet")
    print(f"{len(rows)} embeddings in {folder}")


if __name__ == "__main__":
    main()
