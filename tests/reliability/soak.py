"""Mixed load on a server whose index grows: `python tests/reliability/soak.py --minutes 60 --clips 20000`.

Clips are generated and indexed by the page and by `centerclip index` in turns, while visitors search by
words, pictures and conditions, look at pictures, play excerpts and send nonsense. At the end, the server's
memory, handles and threads must be those of the first quarter, apart from the vectors it keeps in memory, and
no answer may have been an error of the server. Needs Linux.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from videos import make_video

COMMAND = [sys.executable, "-m", "centerclip"]
VISITORS = 4
BATCH = 50
BYTES_PER_CLIP = 4096
"""Of memory: a window's vector and what the library keeps of a file."""
WORDS = ("a red square", "blue + circle", "-green", "a moving stripe", "dots on white", "2:noise + color")
CONDITIONS = (
    "duration_seconds > 0.5",
    "codec = 'h264' and width < 100",
    "path like '%7%'",
    "sleep(9)",
    "1=1;",
)


@dataclass(frozen=True)
class Sample:
    """What the server and its workers use at one moment."""

    minutes: float
    clips: int
    memory_bytes: int
    handles: int
    threads: int


def make_clips(folder: Path, start: int, count: int) -> None:
    for number in range(start, start + count):
        shade = np.random.default_rng(number).integers(0, 256, 3)
        drawn = np.full((48, 64, 3), shade, np.uint8)
        drawn[number % 40 :: 7] = 255 - shade
        make_video(
            folder / f"{number:06d}.mp4",
            frames=8 + number % 9,
            draw=lambda n, drawn=drawn: np.roll(drawn, 3 * n, 1),  # type: ignore[misc]
        )


def use_of(server: int, minutes: float, clips: int) -> Sample:
    memory = handles = threads = 0
    for process in (server, *children_of(server)):
        try:
            status = Path(f"/proc/{process}/status").read_text()
            handles += len(os.listdir(f"/proc/{process}/fd"))
        except OSError:
            continue  # a worker that has just ended
        memory += 1024 * int(re.search(r"RssAnon:\s+(\d+)", status)[1])  # type: ignore[index]
        threads += int(re.search(r"Threads:\s+(\d+)", status)[1])  # type: ignore[index]
    return Sample(minutes, clips, memory, handles, threads)


def children_of(process: int) -> list[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    listed = {int(child) for child in text.split()}
    for thread in os.listdir(f"/proc/{process}/task"):
        try:
            listed |= {int(c) for c in Path(f"/proc/{process}/task/{thread}/children").read_text().split()}
        except OSError:
            continue
    return sorted(listed)


def visit(http: httpx.Client, rng: random.Random, answers: Counter[int]) -> None:
    """Do one thing that a visitor, or somebody with worse intentions, does."""
    what = rng.randrange(10)
    found = http.get("/api/search", params={"q": rng.choice(WORDS), "top": 12})
    answers[found.status_code] += 1
    hits = found.json().get("hits", []) if found.status_code == 200 else []
    hit = rng.choice(hits) if hits else None
    if what < 3 and hit:
        answer = http.get(hit["thumbnail"])
    elif what == 3 and hit:
        answer = http.get(f"/excerpts/{hit['video_id']}", params={"start": 0, "end": 0.5})
    elif what == 4:
        answer = http.get("/api/search", params={"q": "color", "where": rng.choice(CONDITIONS)})
    elif what == 5:
        answer = http.get("/api/videos", params={"limit": 50, "offset": rng.randrange(200)})
    elif what == 6 and hit:
        answer = http.post("/api/search", files={"file": ("x.jpg", http.get(hit["thumbnail"]).content)})
    elif what == 7:
        answer = http.post("/api/search", files={"file": ("x.mp4", rng.randbytes(500))})
    elif what == 8:
        answer = http.get("/" + "".join(rng.choices("abc/.%?&=0", k=rng.randrange(60))).replace("//", "/"))
    else:
        answer = http.get(rng.choice(["/", "/healthz", "/metrics", "/api/stats", "/api/index"]))
    answers[answer.status_code] += 1


def soak(minutes: float, clips: int, folder: Path) -> int:
    videos, index = folder / "videos", folder / "index"
    videos.mkdir()
    make_clips(videos, 0, BATCH)
    update = [*COMMAND, "index", str(videos), "--index", str(index), "--model", "nano"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(update, check=True, **quiet)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    server = subprocess.Popen([*COMMAND, "serve", "--index", str(index), "--port", str(port)])
    while True:
        try:
            httpx.get(f"{address}/healthz")
            break
        except httpx.ConnectError:
            time.sleep(0.1)
    answers: Counter[int] = Counter()
    ended = threading.Event()
    errors: list[BaseException] = []

    def visitor(seed: int) -> None:
        rng = random.Random(seed)
        try:
            with httpx.Client(base_url=address, timeout=60) as http:
                while not ended.is_set():
                    visit(http, rng, answers)
        except BaseException as error:
            errors.append(error)
            ended.set()

    threads = [threading.Thread(target=visitor, args=(seed,)) for seed in range(VISITORS)]
    samples: list[Sample] = []
    began = time.monotonic()
    made = BATCH
    try:
        for thread in threads:
            thread.start()
        with httpx.Client(base_url=address, timeout=60) as http:
            while (passed := (time.monotonic() - began) / 60) < minutes and not ended.is_set():
                wanted = min(clips, round(BATCH + clips * passed / (0.9 * minutes)))
                if wanted >= made + BATCH or (wanted == clips and made < clips):
                    make_clips(videos, made, wanted - made)
                    made = wanted
                    if len(samples) % 2:
                        http.post("/api/index", json={})  # 409 while another process writes
                    else:
                        subprocess.run(
                            update, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
                        )
                samples.append(use_of(server.pid, passed, made))
                print(tell(samples[-1], answers), flush=True)
                ended.wait(min(15.0, 60 * minutes / 40))
    finally:
        ended.set()
        for thread in threads:
            thread.join()
        server.terminate()
        server.wait(timeout=60)
    subprocess.run(update, check=True, **quiet)
    return judge(samples, answers, errors)


def tell(sample: Sample, answers: Counter[int]) -> str:
    return (
        f"{sample.minutes:5.1f} min  {sample.clips:6d} clips  {sample.memory_bytes / 1e6:6.0f} MB  "
        f"{sample.handles:4d} handles  {sample.threads:3d} threads  {sum(answers.values()):7d} requests"
    )


def judge(samples: list[Sample], answers: Counter[int], errors: list[BaseException]) -> int:
    quarter = max(1, len(samples) // 4)
    early, late = samples[quarter : 2 * quarter], samples[-quarter:]

    def median(some: list[Sample], name: str) -> float:
        return float(np.median([getattr(sample, name) for sample in some]))

    allowed = BYTES_PER_CLIP * (median(late, "clips") - median(early, "clips")) + 50e6
    failures = [f"{type(error).__name__}: {error}" for error in errors]
    failures += [f"{count} answers {code}" for code, count in answers.items() if code >= 500 and code != 503]
    if median(late, "memory_bytes") - median(early, "memory_bytes") > allowed:
        failures.append(f"memory grew by more than {allowed / 1e6:.0f} MB")
    failures += [
        f"the number of {name} grew"
        for name in ("handles", "threads")
        if median(late, name) > 1.2 * median(early, name) + 5
    ]
    print("answers:", ", ".join(f"{count} x {code}" for code, count in sorted(answers.items())))
    print("failed: " + "; ".join(failures) if failures else "flat: memory, handles and threads")
    return 1 if failures else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--clips", type=int, default=20_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        sys.exit(soak(given.minutes, given.clips, Path(place)))
