"""Edit lists, read back by OpenTimelineIO's adapters and by hand."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import av
import numpy as np
import opentimelineio as otio
import pytest
from videos import make_video, picture

from centerclip.clips import EDIT_LISTS, Moment, make_edit_list
from centerclip.clips.edit_list import EditList, Entry
from centerclip.video.media import Media, SoundTrack
from centerclip.video.timecode import Timecode

NTSC, FILM = Fraction(30_000, 1001), Fraction(24_000, 1001)


def media(rate: Fraction = Fraction(25), timecode: str = "", **more: Any) -> Media:
    known: dict[str, Any] = {
        "rate": rate,
        "constant": True,
        "frames": round(600 * rate),
        "duration_seconds": 600.0,
        "width": 1920,
        "height": 1080,
        "aspect": Fraction(1),
        "timecode": Timecode.parse(timecode, rate) if timecode else None,
        "reel": "",
        "sounds": (SoundTrack(2, 48_000),),
        "recorded": "",
    }
    return Media(**{**known, **more})


def entry(path: str, of: Media, first: int, frames: int, rank: int = 1, place: str = "") -> Entry:
    start = first / of.rate
    moment = Moment(Path(path), float(start), float(start + frames / of.rate), rank, 0.25, place)
    return Entry(moment, of, first, frames)


def edits_of(*entries: Entry) -> EditList:
    return EditList("a dog", tuple(entries))


def read(edits: EditList, kind: str, folder: Path, **options: Any) -> Any:
    path = folder / f"list.{kind}"
    path.write_text(edits.written(kind), encoding="utf-8", errors="surrogateescape")
    names = {"edl": "cmx_3600", "fcpxml": "fcpx_xml", "otio": "otio_json"}
    return otio.adapters.read_from_file(str(path), adapter_name=names[kind], **options)


TAKES = {
    "film": (FILM, "00:59:59:23"),
    "pal": (Fraction(25), "10:00:00:00"),
    "ntsc-drop": (NTSC, "00:59:59;29"),
    "ntsc": (NTSC, "01:00:00:00"),
    "fast": (Fraction(60_000, 1001), "00:09:59;58"),
    "fifty": (Fraction(50), ""),
}


@pytest.mark.parametrize("kind", TAKES)
def test_an_edl_names_the_frames_by_their_timecode(kind: str, tmp_path: Path) -> None:
    rate, start = TAKES[kind]
    of = media(rate, start)
    edits = edits_of(entry("/v/a.mov", of, 7, 100), entry("/v/b.mov", of, 3000, 51, rank=2))
    text = edits.written("edl")
    counting = "DROP FRAME" if ";" in start else "NON-DROP FRAME"
    assert text.splitlines()[:2] == ["TITLE: a dog", f"FCM: {counting}"]
    assert f" {edits.entries[0].start} " in text
    assert (";" in str(edits.entries[0].start)) == (";" in start)
    timeline = read(edits, "edl", tmp_path, rate=float(rate))
    tracks = {track.name: track for track in timeline.tracks}
    assert set(tracks) == {"V", "A1", "A2"}
    begin = otio.opentime.from_timecode(start or "00:00:00:00", float(rate)).value
    for track in tracks.values():
        shown = [clip.source_range for clip in track.find_clips()]
        assert [(one.start_time.value - begin, one.duration.value) for one in shown] == [(7, 100), (3000, 51)]
    assert [clip.name for clip in tracks["V"].find_clips()] == ["a.mov", "b.mov"]


@pytest.mark.parametrize("kind", TAKES)
def test_fcpxml_is_exact_and_has_linked_sound(kind: str, tmp_path: Path) -> None:
    rate, start = TAKES[kind]
    of = media(rate, start, sounds=(SoundTrack(1, 48_000), SoundTrack(2, 48_000)))
    edits = edits_of(entry("/v/a b.mov", of, 7, 100), entry("/v/quiet.mov", replace(of, sounds=()), 3000, 51))
    root = ET.fromstring(edits.written("fcpxml"))
    forms = {form.get("id"): form for form in root.iter("format")}
    assets = {asset.get("id"): asset for asset in root.iter("asset")}
    begin = edits.entries[0].media_start.frames
    for clip, made in zip(root.iter("asset-clip"), edits.entries, strict=True):
        asset = assets[clip.get("ref")]
        step = seconds(forms[asset.get("format")].get("frameDuration"))
        assert step == 1 / rate
        assert seconds(asset.get("start")) / step == begin
        assert seconds(asset.get("duration")) / step == of.frames
        assert seconds(clip.get("start")) / step == begin + made.first
        assert seconds(clip.get("duration")) / step == made.frames
        assert clip.get("tcFormat") == ("DF" if ";" in start else "NDF")
        assert asset.get("hasVideo") == "1"
    loud, quiet = assets.values()
    said = ("hasAudio", "audioSources", "audioChannels", "audioRate")
    assert [loud.get(name) for name in said] == ["1", "2", "3", "48000"]
    assert quiet.get("hasAudio") is None
    offsets = [seconds(clip.get("offset")) * rate for clip in root.iter("asset-clip")]
    assert offsets == [0, 100]
    assert seconds(root.find(".//sequence").get("duration")) * rate == 151
    (project,) = read(edits, "fcpxml", tmp_path)
    assert [clip.name for clip in project.find_clips()] == ["a b.mov", "quiet.mov"]
    assert [clip.media_reference.target_url for clip in project.find_clips()] == [
        "file:///v/a%20b.mov",
        "file:///v/quiet.mov",
    ]


@pytest.mark.parametrize("kind", TAKES)
def test_otio_reads_its_own_format(kind: str, tmp_path: Path) -> None:
    rate, start = TAKES[kind]
    of = media(rate, start, reel="A001C002_240531")
    edits = edits_of(entry("/v/a.mov", of, 7, 100), entry("/v/quiet.mov", replace(of, sounds=()), 3000, 51))
    timeline = read(edits, "otio", tmp_path)
    pictures, sound = timeline.tracks
    assert (pictures.kind, sound.kind) == ("Video", "Audio")
    begin = edits.entries[0].media_start.frames
    for clip, made in zip(pictures, edits.entries, strict=True):
        assert clip.source_range.start_time == otio.opentime.RationalTime(begin + made.first, float(rate))
        assert clip.source_range.duration == otio.opentime.RationalTime(made.frames, float(rate))
        assert clip.available_range().duration.value == of.frames
        assert clip.available_range().contains(clip.source_range)
    assert isinstance(sound[0], otio.schema.Clip)
    assert isinstance(sound[1], otio.schema.Gap)
    assert pictures.trimmed_range() == sound.trimmed_range()
    assert pictures[0].metadata["centerclip"]["score"] == 0.25
    assert otio.adapters.write_to_string(timeline, "cmx_3600", rate=float(rate)).count("A001C002") >= 1


def test_a_table_has_a_row_per_moment() -> None:
    of = media(NTSC, "00:59:59;29", reel="A001", constant=False)
    rows = list(csv.DictReader(io.StringIO(edits_of(entry('/v/a, "b".mov', of, 7, 100)).written("csv"))))
    assert rows == [
        {
            "rank": "1", "name": 'a, "b".mov', "path": '/v/a, "b".mov', "start_seconds": "0.234",
            "end_seconds": "3.570", "start_timecode": "01:00:00;06", "end_timecode": "01:00:03;16",
            "first_frame": "7", "frames": "100", "frame_rate": "30000/1001", "constant_rate": "no",
            "reel": "A001", "sound_channels": "2", "score": "0.2500",
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("place", "url"),
    [
        ("/v/Ferien 2024/京都 #1 100%.mp4", "file:///v/Ferien%202024/%E4%BA%AC%E9%83%BD%20%231%20100%25.mp4"),
        ("/v/not\udcffutf8.mp4", "file:///v/not%FFutf8.mp4"),
        ("C:\\My Videos\\a b.mp4", "file:///C:/My%20Videos/a%20b.mp4"),
        ("\\\\nas\\footage\\ä.mp4", "file://nas/footage/%C3%A4.mp4"),
        ("Urlaub 2024/a?b.mp4", "Urlaub%202024/a%3Fb.mp4"),
    ],
)
def test_addresses_survive_every_letter(place: str, url: str, tmp_path: Path) -> None:
    edits = edits_of(entry("/unused.mp4", media(), 0, 10, place=place))
    assert edits.entries[0].url == url
    for kind in EDIT_LISTS:
        assert edits.written(kind)
    for kind in ("fcpxml", "otio"):
        made = read(edits, kind, tmp_path)
        (clip,) = made[0].find_clips() if kind == "fcpxml" else made.tracks[0]
        assert clip.media_reference.target_url == url
    if place.startswith("/") and "\udcff" not in place:
        assert unquote(urlsplit(url).path) == place


def test_control_characters_break_no_list(tmp_path: Path) -> None:
    of = media(reel="two\nlines")
    edits = EditList("x", (entry("/v/line\nbreak\x07 <&>.mp4", of, 0, 10),))
    text = edits.written("edl")
    assert [line for line in text.splitlines() if line.startswith("*")] == [
        "* FROM CLIP NAME: line?break? <&>.mp4",
        "* SOURCE FILE: file:///v/line%0Abreak%07%20%3C%26%3E.mp4",
    ]
    ET.fromstring(edits.written("fcpxml"))
    json.loads(edits.written("otio"))
    assert len(list(csv.reader(io.StringIO(edits.written("csv"))))) == 2


def test_reels_differ_per_file_and_fit(tmp_path: Path) -> None:
    of = media()
    paths = ["/v/Holiday film 1.mp4", "/v/Holiday film 2.mp4", "/w/Holiday film 1.mp4", "/v/京都.mp4"]
    edits = edits_of(
        *(entry(path, of, 0, 10) for path in [*paths, paths[0]]),
        entry("/v/x.mov", replace(of, reel="A001C002_240531_R1AB"), 0, 10),
    )
    reels = [line.split()[1] for line in edits.written("edl").splitlines() if line[:3].isdigit()]
    assert reels == ["HOLIDAYF", "HOLIDAY2", "HOLIDAY3", "CLIP", "HOLIDAYF", "A001C002_240531_R1AB"]


def test_mixed_rates_are_rounded_to_those_of_the_list_and_said(tmp_path: Path) -> None:
    slow, fast = media(Fraction(25)), media(Fraction(50))
    edits = edits_of(entry("/v/a.mp4", slow, 0, 100), entry("/v/b.mp4", fast, 101, 51))
    assert edits.rate == 25
    assert edits.notes(["csv"]) == []  # whose moments have rates of their own
    assert edits.notes(["csv", "edl"]) == [
        "the files have several frame rates: the list has 25 per second, and moments of 50 are rounded to "
        "its frames"
    ]
    video = read(edits, "edl", tmp_path, rate=25).tracks[0]
    assert [clip.source_range.duration.value for clip in video] == [100, 26]
    uneven = edits_of(entry("/v/a.mp4", replace(slow, constant=False), 0, 9))
    assert uneven.notes(["csv"])[0].startswith("a.mp4 has a variable frame rate")


def test_channels_of_an_edl_follow_the_sound() -> None:
    for sounds, channels in (((), "V"), ((SoundTrack(1, 8000),), "B"), ((SoundTrack(6, 8000),), "AA/V")):
        line = edits_of(entry("/v/a.mp4", media(sounds=sounds), 0, 10)).written("edl").splitlines()[3]
        assert line.split()[2] == channels


def test_moments_become_whole_frames_of_real_files(tmp_path: Path) -> None:
    film = make_camera(tmp_path / "camera 1.mov", NTSC, "00:59:59;28")
    uneven = make_video(tmp_path / "phone.mp4", frames=20, instants=[n * 47 + (n % 3) * 9 for n in range(20)])
    (tmp_path / "text.mp4").write_text("no video", encoding="utf-8")
    moments = [Moment(film, 1.0, 2.0), Moment(uneven, 0.1, 99.0), Moment(tmp_path / "text.mp4", 0, 1)]
    edits, failed = make_edit_list(moments, "two\nfilms")
    assert edits is not None
    assert edits.title == "two films"
    assert [one.path.name for one in failed] == ["text.mp4"]
    first, second = edits.entries
    assert (first.first, first.frames, str(first.start)) == (29, 31, "01:00:00;27")
    assert first.media.sounds == (SoundTrack(2, 48_000),)
    assert second.first + second.frames == second.media.frames
    assert second.media.rate == FILM  # the nearest standard rate to 21.2
    assert "phone.mp4" in edits.notes(["edl"])[0]
    assert make_edit_list(moments[2:], "x")[0] is None


@pytest.mark.parametrize("rate", [NTSC, Fraction(60_000, 1001), FILM, Fraction(25), Fraction(120)])
@pytest.mark.parametrize("drop", [False, True])
def test_timecode_agrees_with_opentimelineio(rate: Fraction, drop: bool) -> None:
    if drop and round(rate) % 30:
        drop = False
    drops = drop and rate.denominator == 1001
    numbers = [0, 1, 1799, 1800, 17_981, 17_982, 107_891, 107_892]
    for number in [*numbers, *np.random.default_rng(0).integers(0, 2_000_000, 300).tolist()]:
        made = Timecode(number, rate, drop=drop)
        if rate < 100:
            time = otio.opentime.RationalTime(number, float(rate))
            assert str(made) == otio.opentime.to_timecode(time, float(rate), drops)
        assert Timecode.parse(str(made), rate).frames == number


@pytest.mark.parametrize("text", ["", "1:2:3:4", "01:60:00:00", "00:00:00:25", "a", "00:00:00"])
def test_what_is_no_timecode_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="isn't a timecode"):
        Timecode.parse(text, Fraction(25))


def seconds(text: str | None) -> Fraction:
    assert text is not None
    return Fraction(text.removesuffix("s"))


def make_camera(path: Path, rate: Fraction, timecode: str) -> Path:
    """Write three seconds as a camera does: with timecode and stereo sound."""
    with av.open(path, "w") as container:
        container.metadata["timecode"] = timecode
        stream: Any = container.add_stream("libx264", rate=rate)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        sound: Any = container.add_stream("pcm_s16le", rate=48_000, layout="stereo")
        for number in range(round(3 * rate)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number), format="rgb24")))
        container.mux(stream.encode())
        heard = av.AudioFrame.from_ndarray(np.zeros((1, 2 * 48_000), np.int16), "s16", "stereo")
        heard.sample_rate = 48_000
        container.mux(sound.encode(heard))
    return path
