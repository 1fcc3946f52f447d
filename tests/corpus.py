"""More than a hundred kinds of files that lie in people's folders, or that somebody forged.

`CORPUS` has each kind by name: how it is made, and what indexing it must end in. `forging` makes them. There
is no Theora, which the bundled FFmpeg reads but doesn't write. Files that grow while they are read are in
`unit/indexing/test_sync.py`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from forging import (
    Make,
    animation,
    box,
    compressed_header,
    content,
    cut,
    flipped,
    forged_times,
    joined,
    known,
    make_socket,
    many_scans,
    many_tracks,
    nested_boxes,
    packets,
    playlist,
    saved,
    streams,
    tiny_packets,
    video,
)
from videos import make_audio


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file.

    Attributes:
        name: of the file.
        make: writes it.
        fails: None if it must be indexed; otherwise a pattern of the reason why it can't be; "" for either.
        slow: making or reading it takes more than a second.
    """

    name: str
    make: Make
    fails: str | None = None
    slow: bool = False


_BROKEN = "not a video|no video|none of its frames|is empty|video stream is empty"
_LIST = "is a playlist|not a video|can't be read"
_PARTLY = ""
"""What is left may or may not have a frame."""


# Whole files of many codecs and shapes


_VPX = {"deadline": "realtime", "cpu-used": "8"}
_SVT = {"preset": "12", "svtav1-params": "lp=1"}
_X265 = {"x265-params": "log-level=none:pools=none:frame-threads=1"}

_CODECS: dict[str, Make] = {
    "h264.mp4": video(),
    "h264.mov": video(),
    "h264.3gp": video(size=(144, 176)),
    "hevc.mp4": video("libx265", options=_X265),
    "vp8.webm": video("libvpx", options=_VPX),
    "vp9.webm": video("libvpx-vp9", options=_VPX),
    "av1.mkv": video("libsvtav1", options=_SVT, size=(64, 64)),
    "mpeg1.mpg": video("mpeg1video", rate=25),
    "mpeg2.ts": video("mpeg2video", rate=25),
    "mpeg2.vob": video("mpeg2video", rate=25),
    "mpeg4.avi": video("mpeg4"),
    "mjpeg.avi": video("mjpeg", pixel_format="yuvj420p"),
    "mjpeg.mjpeg": video("mjpeg", pixel_format="yuvj420p"),
    "animated.gif": video("gif", pixel_format="rgb8"),
    "prores.mov": video("prores_ks", pixel_format="yuv422p10le"),
    "ffv1.mkv": video("ffv1"),
    "huffyuv.avi": video("huffyuv", pixel_format="yuv422p"),
    "utvideo.avi": video("utvideo", pixel_format="yuv422p"),
    "flv1.flv": video("flv"),
    "wmv2.wmv": video("wmv2"),
    "h263.3gp": video("h263", size=(144, 176), rate=30),
    "cinepak.mov": video("cinepak", pixel_format="rgb24"),
    "qtrle.mov": video("qtrle", pixel_format="rgb24"),
    "raw.avi": video("rawvideo", pixel_format="bgr24"),
    "raw.nut": video("rawvideo"),
    "jpeg2000.mov": video("jpeg2000"),
    "magicyuv.avi": video("magicyuv", pixel_format="gbrp"),
    "snow.avi": video("snow", options={"strict": "-2"}),
    "dv.dv": video("dvvideo", size=(576, 720), rate=25),
    "dnxhd.mov": video(
        "dnxhd", pixel_format="yuv422p", size=(1080, 1920), rate=25, frames=2, options={"b": "120000000"}
    ),
}
_SHAPES: dict[str, Make] = {
    "10 bit.mkv": video(pixel_format="yuv420p10le"),
    "12 bit.mkv": video("libx265", pixel_format="yuv420p12le", options=_X265),
    "422.mkv": video(pixel_format="yuv422p"),
    "444.mkv": video(pixel_format="yuv444p"),
    "grey.mkv": video("ffv1", pixel_format="gray"),
    "grey 16 bit.mkv": video("ffv1", pixel_format="gray16le"),
    "alpha.mov": video("prores_ks", pixel_format="yuva444p10le"),
    "alpha.webm": video("libvpx-vp9", pixel_format="yuva420p", options=_VPX),
    "palette.gif": lambda path: animation(path, "GIF"),
    "rgb.mkv": video("ffv1", pixel_format="bgr0"),
    "17x35.mkv": video("ffv1", size=(35, 17)),
    "1x1.mkv": video("ffv1", size=(1, 1), texture=False),
    "2x2.mp4": video(size=(2, 2), texture=False),
    "wide strip.mkv": video("rawvideo", size=(2, 4000)),
    "tall strip.mkv": video("rawvideo", size=(4000, 2)),
    "1 fps.mp4": video(rate=1),
    "240 fps.mp4": video(rate=240, frames=30),
    "one frame.mp4": video(frames=1),
    "two frames.mkv": video(frames=2),
    "upside down.mp4": video(rotation=180),
    "on its side.mp4": video(rotation=90),
    "long.mp4": video(rate=1, frames=60),
    "interlaced.ts": known("interlaced.ts"),
    "variable rate.mkv": known("uneven.mkv"),
    "variable rate.mp4": known("uneven.mp4"),
    "without duration.webm": known("unknown-duration.webm"),
    "without timestamps.avi": known("made-up-timestamps.avi"),
    "edit list.mp4": known("edited.mp4"),
    "late start.ts": known("late-start.ts"),
    "fragments.mp4": known("fragments.mp4"),
    "open groups.mp4": known("open-groups.mp4"),
    "no true keys.mp4": known("no-true-keys.mp4"),
    "hidden frames.webm": known("vp9-hidden-frames.webm"),
}


# Names and things that aren't files


def named(name: str | bytes) -> str:
    return os.fsdecode(name)


_DASH = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT9S"><Period><AdaptationSet contentType="video"><Representation id="1">'
    "<BaseURL>{}</BaseURL></Representation></AdaptationSet></Period></MPD>"
)
_ADDRESS = "http://127.0.0.1:PORT/a.ts"


def _kinds() -> list[Kind]:
    kinds = [Kind(name, made) for name, made in {**_CODECS, **_SHAPES}.items()]
    kinds += [
        Kind("8k.mp4", video("mjpeg", pixel_format="yuvj420p", size=(4320, 7680), frames=1), slow=True),
        Kind(
            "8192x8192.mkv", video("mjpeg", pixel_format="yuvj420p", size=(8192, 8192), frames=1), slow=True
        ),
        Kind(
            "16384x8192.mkv",
            video("mjpeg", pixel_format="yuvj420p", size=(8192, 16384), frames=1),
            "maximum of|not a video|none of its frames",
            slow=True,
        ),
    ]
    # Damage
    kinds += [Kind("zero bytes.mp4", content(b""), "is empty")]
    for name in ("h264.mp4", "h264.mkv", "h264.ts", "mpeg4.avi", "animated.gif"):
        stem, suffix = name.split(".")
        for tenth in range(1, 10):
            fails = _BROKEN if suffix == "mp4" else _PARTLY
            kinds.append(Kind(f"{stem} cut to {tenth}0 %.{suffix}", cut(name, tenth / 10), fails))
        kinds += [Kind(f"{stem} flipped {n}.{suffix}", flipped(name, n), _PARTLY) for n in range(4)]
    kinds += [
        Kind("header only.mp4", cut("h264.mp4", 0.01), _BROKEN),
        Kind("header only.mkv", cut("h264.mkv", 0.05), _BROKEN),
        Kind("index missing.mp4", cut("h264.mp4", 0.5), _BROKEN),
        Kind("sound only.mp4", make_audio, "no video stream: it holds only audio"),
        Kind("sound only.mkv", make_audio, "no video stream"),
    ]
    # Other things with the name of a video
    kinds += [
        Kind("picture.mp4", saved("JPEG"), _PARTLY),
        Kind("png.mp4", saved("PNG"), _PARTLY),
        Kind("webp.mp4", saved("WEBP"), _PARTLY),
        Kind("animated webp.mp4", lambda path: animation(path, "WEBP"), _PARTLY),
        Kind("animated png.mp4", lambda path: animation(path, "PNG"), _PARTLY),
        Kind("tiff.mp4", saved("TIFF"), _PARTLY),
        Kind("bmp.mp4", saved("BMP"), _PARTLY),
        Kind("text.mp4", content("No video, only words.\n" * 99), "not a video"),
        Kind("text.ts", content("No video, only words.\n" * 99), "not a video"),
        Kind("zeros.mp4", content(bytes(5000)), "not a video"),
        Kind("ones.ts", content(b"\xff" * 5000), "not a video"),
        Kind("sync bytes.ts", content((b"G" + bytes(187)) * 50), "not a video|no video"),
        Kind("html.mp4", content("<!doctype html><title>404</title>" * 50), "not a video"),
        Kind("zip.mp4", content(b"PK\x03\x04" + bytes(500)), "not a video"),
        Kind("script.mp4", content("#!/bin/sh\ntouch was-run\n"), "not a video"),
        Kind("subtitles.mp4", content("1\n00:00:01,000 --> 00:00:02,000\nWords\n"), "not a video|no video"),
        Kind("vobsub.mp4", content("# VobSub index file, v7\nid: en, index: 0\n"), "no such file|subtitles"),
        Kind(
            "sdp.mp4",
            content("v=0\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n"),
            "not a video|no video|can't be",
        ),
        Kind("playlist of a file.mp4", playlist("h264.ts"), _LIST),
        Kind("playlist of an address.mp4", playlist(_ADDRESS), _LIST),
        Kind("playlist of a secret.mp4", playlist("file:///etc/passwd"), _LIST),
        Kind("concat of a file.mp4", content("ffconcat version 1.0\nfile h264.mp4\n"), _LIST),
        Kind("concat of a secret.mp4", content("ffconcat version 1.0\nfile /etc/passwd\n"), _LIST),
        Kind("concat of an address.mp4", content(f"ffconcat version 1.0\nfile {_ADDRESS}\n"), _LIST),
        Kind("dash of a file.mp4", content(_DASH.format("h264.mp4")), _LIST),
        Kind("dash of an address.mp4", content(_DASH.format(_ADDRESS)), _LIST),
        Kind("a matroska.mp4", known("h264.mkv")),
        Kind("an mp4.avi", known("h264.mp4")),
        Kind("a gif.mov", known("animated.gif")),
        Kind("UPPER.MP4", known("h264.mp4")),
    ]
    # Times and streams
    kinds += [
        Kind("negative times.mkv", forged_times(lambda number: 100 * number - 1000)),
        Kind("equal times.mkv", forged_times(lambda number: 0)),
        Kind(
            "jumping times.mkv",
            forged_times(lambda number: 100 * number if number % 2 else 30_000 - 100 * number),
        ),
        Kind("descending times.mkv", forged_times(lambda number: 2000 - 100 * number)),
        Kind("days apart.mkv", packets(lambda number: number * 3_000_000)),
        Kind("weeks apart.mkv", packets(lambda number: number * 7 * 86_400_000)),
        Kind("days apart.nut", packets(lambda number: number * 3_000_000)),
        Kind("size changes.ts", joined({"size": (48, 64)}, {"size": (64, 96)})),
        Kind("codec changes.ts", joined({}, {"codec": "mpeg2video", "rate": 25})),
        Kind("shape turns.ts", joined({"size": (48, 96)}, {"size": (96, 48)})),
        Kind("200 streams.mkv", streams(200)),
        Kind("900 streams.mkv", streams(900), _PARTLY, slow=True),
        Kind("3,000 streams.mp4", many_tracks(3000), _BROKEN),
        Kind("10,000 tiny packets.nut", tiny_packets(10_000), slow=True),
        Kind("100,000 tiny packets.nut", tiny_packets(100_000), slow=True),
    ]
    # Forged to cost time or memory
    kinds += [
        Kind("compressed header.mov", compressed_header(1 << 20), _BROKEN),
        Kind(
            "compressed header of 2 GB.mov",
            compressed_header(2040 << 20),
            _BROKEN,
            slow=True,
        ),
        Kind("200 scans.avi", many_scans(200, (64, 64)), _PARTLY),
        Kind("20,000 scans.avi", many_scans(20_000, (1080, 1920)), _PARTLY, slow=True),
        Kind("far box.mp4", content(box(b"ftyp", b"isom\0\0\0\0") + b"\xff\xff\xff\xffmoov"), _BROKEN),
        Kind("boxes in boxes.mp4", content(nested_boxes(5000)), _BROKEN),
        Kind("vast matroska.mkv", content(b"\x1aE\xdf\xa3\x01\xff\xff\xff\xff\xff\xff\xfe" * 9), _BROKEN),
        Kind(
            "vast gif.gif",
            content(b"GIF89a\xff\xff\xff\xff\x00\x00\x00,\0\0\0\0\xff\xff\xff\xff\0\x08\0;"),
            _BROKEN,
        ),
    ]
    # Names
    whole = known("h264.mp4")
    kinds += [
        Kind(named("new\nline.mp4"), whole),
        Kind(named("tab\tand \x1b[31mred\x1b[0m.mp4"), whole),
        Kind(named("\x07bell \x9b31m.mp4"), whole),
        Kind(named("🎬 emoji.mp4"), whole),
        Kind(named("-rf.mp4"), whole),
        Kind(named("--output.mp4"), whole),
        Kind(named("a:b.mp4"), whole),
        Kind(named("http:a.mp4"), whole),
        Kind(named("per%03dcent.mp4"), whole),
        Kind(named('it\'s "quoted".mp4'), whole),
        Kind(named("back\\slash.mp4"), whole),
        Kind(named("*?[a].mp4"), whole),
        Kind(named(" spaces .mp4"), whole),
        Kind(named("right\u202eto left.mp4"), whole),
        Kind(named("e\u0301 decomposed.mp4"), whole),
        Kind(named("replaced \ufffd.mp4"), whole),
        Kind(named("x" * 251 + ".mp4"), whole),
        Kind(named(b"invalid \xe9.mp4"), whole, "not valid UTF-8"),
        Kind(named(b"invalid \xe8.mp4"), whole, "not valid UTF-8"),
    ]
    # Not files
    kinds += [
        Kind("link.mp4", lambda path: path.symlink_to(path.name), "symbolic links"),
        Kind("circle 1.mp4", lambda path: path.symlink_to("circle 2.mp4"), "symbolic links"),
        Kind("circle 2.mp4", lambda path: path.symlink_to("circle 1.mp4"), "symbolic links"),
        Kind("dangling.mp4", lambda path: path.symlink_to("nowhere"), "No such file"),
        Kind("pipe.mp4", os.mkfifo, "is a pipe"),
        Kind("socket.mp4", make_socket, "is a socket"),
        Kind("device.mp4", lambda path: path.symlink_to("/dev/zero"), "is a device"),
    ]
    return kinds


CORPUS = {kind.name: kind for kind in _kinds()}


def make_corpus(folder: Path, *, port: int = 9, slow: bool = True) -> dict[Path, Kind]:
    """Write the kinds into a folder; return each by its path.

    Args:
        folder: exists.
        port: of this machine, to which the playlists' addresses point.
        slow: also those that take more than a second.
    """
    made = {}
    for name, kind in CORPUS.items():
        if slow or not kind.slow:
            path = folder / name
            kind.make(path)
            made[path] = kind
            if "address" in name:
                path.write_text(path.read_text().replace("PORT", str(port)))
    return made
