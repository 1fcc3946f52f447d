"""Clips: each frame of the moment, as it is, with the sound and the facts that belong to it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from videos import VIDEOS, number_of, picture

from centerclip.errors import VideoError
from centerclip.video import VideoReader, clip, cut_clip, media_of
from centerclip.video.decode import DirectReader

COPIED = {
    "av1.mp4", "edited.mp4", "every-frame-a-key.mp4", "fragments.mp4", "h264.flv", "h264.mkv", "h264.mp4",
    "h264.ts", "hevc-layers.mp4", "hevc-leading.mp4", "hevc-open-groups.mkv", "hevc.mp4", "late-start.ts",
    "mpeg4.avi", "odd-size.webm", "on-its-other-side.mp4", "on-its-side.mp4", "one-frame.mp4",
    "open-groups.mp4", "open-groups.ts", "interlaced.ts", "ten-bit.mkv", "two-frames.mp4",
    "unknown-duration.webm", "upside-down.mp4", "vp9.webm",
}  # fmt: skip
"""The kinds that have a key frame shortly before the moment of the first test, and copy cleanly."""


def frames_of(path: Path) -> list[tuple[float, np.ndarray]]:
    """All frames of a file, as a player shows them."""
    with DirectReader(path) as reader:
        times = reader.times(0.0, reader.facts.duration_seconds)[:-1]
        return [(time, shown.copy()) for time, shown in reader.frames_at(times)]


def make_sounding(path: Path, *, codec: str = "aac", layout: str = "mono", tracks: int = 1) -> Path:
    """Write 4 seconds of video at 25 frames per second, with a tone in the third second only."""
    with av.open(path, "w") as container:
        video: Any = container.add_stream("libx264", rate=25, options={"g": "250", "bf": "2"})
        video.height, video.width, video.pix_fmt = 48, 64, "yuv420p"
        sounds: list[Any] = [container.add_stream(codec, rate=44_100, layout=layout) for _ in range(tracks)]
        for number, sound in enumerate(sounds):
            sound.metadata["language"] = ("eng", "jpn")[number]
        for number in range(100):
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture(number), format="rgb24")))
        container.mux(video.encode())
        seconds = np.arange(4 * 44_100) / 44_100
        tone = np.sin(2000 * seconds) * ((seconds >= 2) & (seconds < 3)) * 0.5
        for sound in sounds:
            heard = np.tile(tone, (sound.codec_context.layout.nb_channels, 1)).astype(np.float32)
            for at in range(0, heard.shape[1], 4410):
                part = np.ascontiguousarray(heard[:, at : at + 4410])
                frame = av.AudioFrame.from_ndarray(part, "fltp", layout)
                frame.sample_rate, frame.pts, frame.time_base = 44_100, at, Fraction(1, 44_100)
                container.mux(sound.encode(frame))
            container.mux(sound.encode())
    return path


def loud_from(path: Path, track: int = 0) -> float:
    """When the tone begins, in the clock of the pictures."""
    with av.open(path) as container:
        sound = container.streams.audio[track]
        for frame in container.decode(sound):
            samples = frame.to_ndarray()[0].astype(float)
            loud = np.flatnonzero(np.abs(samples) > (0.1 * 2**15 if frame.format.name == "s16" else 0.1))
            if len(loud):
                return float(frame.time or 0) + loud[0] / frame.sample_rate
    return -1.0


def check(source: Path, target: Path, start: float, end: float) -> bool:
    """Cut a clip and compare each of its frames with the source; return whether it was copied."""
    whole = frames_of(source)
    cut = cut_clip(source, target, start=start, end=end)
    made = frames_of(target)
    first = max(n for n, (time, _) in enumerate(whole) if time <= start + 1e-6)
    wanted = [n for n, (time, _) in enumerate(whole) if n == first or start < time < end - 1e-6]
    began = min(range(len(whole)), key=lambda n: abs(whole[n][0] - cut.start))
    if cut.copied:
        assert 0 <= whole[first][0] - whole[began][0] <= clip.EARLY_SECONDS
        assert wanted[-1] + 1 <= began + len(made) <= wanted[-1] + 6
    else:
        assert (began, len(made)) == (first, len(wanted))
    with av.open(target) as container:
        keys = [packet.is_keyframe for packet in container.demux(video=0) if packet.pts is not None]
    assert len(keys) == len(made) or "interlaced" in source.name  # nothing that players have to hide
    assert cut.copied or sum(keys) <= 2  # the encoder decides, not the source
    for (time, shown), (source_time, original) in zip(made, whole[began:], strict=False):
        assert time == pytest.approx(source_time - whole[began][0], abs=2e-3)
        if cut.copied:
            np.testing.assert_array_equal(shown, original)
        else:
            assert number_of(shown) == number_of(original)
            assert shown.shape[:2] == tuple(2 * (side // 2) for side in original.shape[:2])
            flat = np.s_[5:40, 5:25]
            np.testing.assert_allclose(shown[flat].mean((0, 1)), original[flat].mean((0, 1)), atol=5)
    return cut.copied


@pytest.mark.parametrize("name", VIDEOS)
def test_a_clip_has_the_frames_of_its_moment(name: str, video: Callable[[str], Path], tmp_path: Path) -> None:
    source = video(name)
    with VideoReader(source) as reader:
        short = reader.duration_seconds < 2.5
    span = (0.0, 0.15) if short else (1.33, 2.47)
    assert check(source, tmp_path / "clip.mp4", *span) == (name in COPIED)


@pytest.mark.parametrize(
    "name",
    ["h264.mp4", "hevc-open-groups.mkv", "odd-size.webm", "on-its-side.mp4", "ten-bit.mkv", "uneven.mkv"],
)
def test_between_key_frames_a_clip_is_encoded(
    name: str, video: Callable[[str], Path], tmp_path: Path
) -> None:
    assert not check(video(name), tmp_path / "clip.mp4", 1.83, 2.27)


def test_a_copy_skips_no_frame_at_its_end(video: Callable[[str], Path], tmp_path: Path) -> None:
    for name in ("h264.mp4", "h264.mkv", "hevc-layers.mp4"):
        for end in (1.75, 1.85, 1.95, 2.05):
            assert check(video(name), tmp_path / "clip.mp4", 1.33, end)


def test_a_large_matroska_file_is_cut_by_its_cues(
    video: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = video("h264.mkv")
    monkeypatch.setattr("centerclip.video.cued._LARGE_BYTES", 0)
    for start, copied in ((1.33, True), (1.83, False)):
        made = clip.encode_clip(source, tmp_path / "clip.mp4", start=start, end=2.47)
        assert made["copied"] == copied
        shown = [number_of(picture) for _, picture in frames_of(tmp_path / "clip.mp4")]
        first = 12 if copied else 18
        assert shown[: 25 - first] == list(range(first, 25))


@pytest.mark.parametrize(("codec", "layout"), [("aac", "stereo"), ("pcm_s16le", "mono"), ("ac3", "5.1")])
@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_sound_stays_with_the_pictures(codec: str, layout: str, suffix: str, tmp_path: Path) -> None:
    source = make_sounding(tmp_path / "film.mkv", codec=codec, layout=layout, tracks=2)
    target = tmp_path / f"clip{suffix}"
    cut_clip(source, target, start=1.48, end=3.4)
    for track in (0, 1):
        assert loud_from(target, track) == pytest.approx(loud_from(source, track) - 1.48, abs=0.002)
    with av.open(target) as container:
        tracks = container.streams.audio
        kept = codec if codec != "pcm_s16le" or suffix == ".mov" else "aac"
        assert [track.codec_context.name for track in tracks] == [kept] * 2
        assert [track.codec_context.rate for track in tracks] == [44_100] * 2
        channels = {"mono": 1, "stereo": 2, "5.1": 6}[layout]
        assert [track.codec_context.layout.nb_channels for track in tracks] == [channels] * 2
        assert [track.language for track in tracks] == ["eng", "jpn"]
        assert float(tracks[0].duration * tracks[0].time_base) == pytest.approx(1.92, abs=0.06)


def test_the_clip_carries_the_timecode_and_date_of_its_moment(tmp_path: Path) -> None:
    source = tmp_path / "camera.mov"
    with av.open(source, "w") as container:
        container.metadata.update(timecode="00:59:59;28", creation_time="2024-05-31T10:00:00Z")
        stream: Any = container.add_stream("libx264", rate=Fraction(30_000, 1001), options={"g": "300"})
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for number in range(90):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number), format="rgb24")))
        container.mux(stream.encode())
    media = media_of(source)
    assert (media.rate, media.constant, media.frames) == (Fraction(30_000, 1001), True, 90)
    assert str(media.timecode) == "00:59:59;28"
    cut_clip(source, tmp_path / "clip.mp4", start=2.0, end=2.5)
    made = media_of(tmp_path / "clip.mp4")
    assert str(made.timecode) == "01:00:01;27"  # frame 59 is shown at 2 seconds
    assert made.recorded.startswith("2024-05-31T10:00:01")
    assert (made.rate, made.frames) == (media.rate, 16)


def test_depth_and_colors_remain(tmp_path: Path) -> None:
    display = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    hdr = f"hdr10=1:master-display={display}:max-cll=1000,400:log-level=none:pools=1:keyint=250"
    source = tmp_path / "hdr.mkv"
    with av.open(source, "w") as container:
        stream: Any = container.add_stream("libx265", rate=10, options={"x265-params": hdr})
        stream.height, stream.width, stream.pix_fmt = 64, 64, "yuv422p10le"
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = 9, 16, 9, 1
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(picture(number, (64, 64)), format="rgb24")
            frame = frame.reformat(format="yuv422p10le", dst_colorspace=9)
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert not cut_clip(source, tmp_path / "clip.mp4", start=1.0, end=1.5).copied
    facts = []
    for path in (source, tmp_path / "clip.mp4"):
        with av.open(path) as container:
            frame = next(container.decode(video=0))
            sides = {kind.type.name: bytes(kind) for kind in frame.side_data}
            colors = (frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range)
            facts.append(
                (frame.format.name, colors, sides["CONTENT_LIGHT_LEVEL"], sides["MASTERING_DISPLAY_METADATA"])
            )
    assert facts[0] == facts[1]
    assert facts[1][:2] == ("yuv422p10le", (9, 16, 9, 1))


def test_pixel_aspect_and_interlacing_remain(tmp_path: Path) -> None:
    source = tmp_path / "tape.mkv"
    with av.open(source, "w") as container:
        flags = {"flags": "+ildct+ilme", "g": "250"}
        stream: Any = container.add_stream("libx264", rate=25, options=flags)
        stream.height, stream.width, stream.pix_fmt = 64, 64, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(64, 45)
        for number in range(50):
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(picture(number, (64, 64)), format="rgb24"))
            )
        container.mux(stream.encode())
    assert not cut_clip(source, tmp_path / "clip.mp4", start=1.0, end=1.5).copied
    for path in (source, tmp_path / "clip.mp4"):
        with av.open(path) as container:
            assert container.streams.video[0].sample_aspect_ratio == Fraction(64, 45)
            assert next(container.decode(video=0)).interlaced_frame


def test_what_cannot_be_cut_is_refused_by_name(video: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"text\.mp4: is not a video"):
        cut_clip(video("text.mp4"), tmp_path / "clip.mp4", start=0, end=1)
    for target, span, reason in (
        ("clip.avi", (0.0, 1.0), "an .mp4 or .mov file"),
        ("clip.mp4", (1.0, 1.0), "a later end"),
    ):
        with pytest.raises(ValueError, match=reason):
            cut_clip(video("h264.mp4"), tmp_path / target, start=span[0], end=span[1])


@pytest.mark.parametrize("name", ["truncated.mp4", "truncated.mkv", "overwritten.mp4", "overwritten.ts"])
@pytest.mark.parametrize("start", [0.0, 0.75, 1.25, 1.9])
def test_a_damaged_file_gives_a_clip_of_what_can_be_decoded(
    name: str, start: float, video: Callable[[str], Path], tmp_path: Path
) -> None:
    cut_clip(video(name), tmp_path / "clip.mp4", start=start, end=start + 0.5)
    with VideoReader(tmp_path / "clip.mp4") as reader:
        assert 0.1 <= reader.duration_seconds < 1.6


def test_rates_that_vary_are_called_so(video: Callable[[str], Path], tmp_path: Path) -> None:
    assert not media_of(video("uneven.mp4")).constant
    for rate in (Fraction(24_000, 1001), Fraction(25), Fraction(60_000, 1001)):
        path = tmp_path / f"{rate.numerator}.mkv"  # rounds to milliseconds
        with av.open(path, "w") as container:
            stream: Any = container.add_stream("libx264", rate=rate)
            stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
            for number in range(50):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number), format="rgb24")))
            container.mux(stream.encode())
        media = media_of(path)
        assert (media.rate, media.constant, media.frames, media.timecode) == (rate, True, 50, None)
