"""Subtitle files of all kinds, sound and broken: what is said in them, and why they can't be read."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from subtitled import ASS_HEAD, ass, srt, vtt

from centerclip.errors import VideoError
from centerclip.records import Cue
from centerclip.subtitles import find_sidecars, language_of, parse_subtitles, parsing, write_webvtt
from centerclip.subtitles.sidecars import read_subtitle_file

CUES = ((1.0, 2.5, "We are engaged"), (3.0, 4.0, "Where is\nthe car?"))
EXPECTED = [Cue(1.0, 2.5, "We are engaged"), Cue(3.0, 4.0, "Where is\nthe car?")]


@pytest.mark.parametrize(
    ("text", "suffix"),
    [
        (srt(*CUES), ".srt"),
        (srt(*CUES).replace("\n", "\r\n"), ".SRT"),
        (vtt(*CUES), ".vtt"),
        (vtt(*CUES), ".srt"),
        (ass(CUES[0], (3.0, 4.0, r"Where is\Nthe car?")), ".ass"),
        (ass(CUES[0], (3.0, 4.0, r"Where is\Nthe car?")), ".ssa"),
    ],
)
def test_every_format(text: str, suffix: str) -> None:
    assert parse_subtitles(text.encode(), suffix) == EXPECTED


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode_with_and_without_a_mark(encoding: str) -> None:
    text = srt((0.0, 1.0, "Größe – Привет – 你好"))
    assert parse_subtitles(text.encode(encoding), ".srt") == [Cue(0.0, 1.0, "Größe – Привет – 你好")]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "Das Mädchen läuft über die Straße, weil es schön ist. Größer als früher."),
        ("cp1250", "Psy biegną drogą.\nJesteśmy zaręczeni, źle.\nŻółw śpi."),
        ("cp1251", "Собаки бегут по дороге.\nМы помолвлены"),
        ("koi8_r", "Собаки бегут по дороге.\nМы помолвлены"),
        ("cp1253", "Τα σκυλιά τρέχουν στο δρόμο"),
        ("cp874", "สุนัขวิ่งบนถนน เราหมั้นกันแล้ว"),
        ("gb18030", "狗在路上跑，我们订婚了，真高兴"),
        ("cp932", "私はあなたを愛しています。カメラの前で何をしているの？"),
    ],
)
def test_older_encodings_are_guessed(encoding: str, text: str) -> None:
    content = srt((0.0, 1.0, text)).encode(encoding)
    assert parse_subtitles(content, ".srt") == [Cue(0.0, 1.0, text)]


@pytest.mark.parametrize(
    ("name", "encoding", "text"),
    [
        ("film.ru.srt", "koi8_r", "Собаки бегут по дороге.\nМы помолвлены"),
        ("film.hun.forced.srt", "cp1250", "Eljegyeztük egymást, őrült űrhajó"),
        ("film.Turkish.srt", "cp1254", "Nişanlandık, ığdır şişe"),
        ("film.he.srt", "cp1255", "התארסנו"),
        ("film.ja.srt", "euc_jp", "犬が道を走る"),
        ("film.fr.srt", "cp1252", "Ça va être génial"),
    ],
)
def test_the_language_in_a_name_tells_encodings_apart(
    tmp_path: Path, name: str, encoding: str, text: str
) -> None:
    path = tmp_path / name
    path.write_bytes(srt((0.0, 1.0, text)).encode(encoding))
    assert read_subtitle_file(path) == [Cue(0.0, 1.0, text)]


def test_a_wrong_byte_doesnt_change_the_encoding() -> None:
    content = srt((0.0, 1.0, "Größe – Привет – 你好")).encode().replace(b"Gr", b"\xe9r")
    assert parse_subtitles(content, ".srt") == [Cue(0.0, 1.0, "�röße – Привет – 你好")]


def test_a_long_text_is_guessed_from_its_beginning() -> None:
    text = "开会的时候大家都在说话"
    cues = parse_subtitles(
        srt(*((float(at), at + 1.0, text) for at in range(1500))).encode("gb18030"), ".srt"
    )
    assert {cue.text for cue in cues} == {text}


@pytest.mark.parametrize(
    ("marked", "plain"),
    [
        ("<i>We</i> <font color='#ff0000'>are</font> <B>engaged</B>", "We are engaged"),
        (r"{\an8}{\pos(1,2)}Hello{\i1} you{\i0}", "Hello you"),
        ("<v Anna>Fish &amp; chips &lt;3&nbsp;now", "Fish & chips <3 now"),
        ("<00:00:01.000><c.yellow.bg>one</c> two", "one two"),
        ("2 < 3 and 4 > 1", "2 < 3 and 4 > 1"),
        ("a\x07b\tc  d", "a b c d"),
        ("<script>alert(1)</script>", "alert(1)"),
        (r"{\p1}m 0 0 l 10 10{\p0}", ""),
        ("♪", "♪"),
    ],
)
def test_markup_is_removed(marked: str, plain: str) -> None:
    assert parsing.clean_text(marked) == plain


def test_comments_drawings_and_empty_cues_are_left_out() -> None:
    text = ass((1.0, 2.0, "said"), (2.0, 3.0, r"{\p1}m 0 0{\p0}"), (4.0, 5.0, "  "))
    text += "Comment: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,not said\n"
    assert parse_subtitles(text.encode(), ".ass") == [Cue(1.0, 2.0, "said")]


def test_overlapping_unordered_and_impossible_times() -> None:
    cues = parse_subtitles(srt((5.0, 9.0, "b"), (1.0, 6.0, "a"), (7.0, 3.0, "backwards")).encode(), ".srt")
    assert cues == [Cue(1.0, 6.0, "a"), Cue(5.0, 9.0, "b"), Cue(7.0, 9.0, "backwards")]


def test_cues_of_one_instant_become_one() -> None:
    cues = parse_subtitles(srt((1.0, 2.0, "Anna: yes"), (1.0, 3.0, "Ben: no")).encode(), ".srt")
    assert cues == [Cue(1.0, 3.0, "Anna: yes\nBen: no")]


def test_captions_that_roll_say_each_line_once() -> None:
    rolling = vtt(
        (0.0, 2.0, "so<00:00:01.000><c> today</c>"),
        (2.0, 2.01, "so today"),
        (2.01, 4.0, "so today\nwe bake<c> bread</c>"),
        (4.0, 4.01, "we bake bread"),
        (9.0, 10.0, "we bake bread"),
    )
    found = parse_subtitles(rolling.encode(), ".vtt")
    assert [cue.text for cue in found] == ["so today", "we bake bread", "we bake bread"]
    assert found[1].start_seconds == 2.01
    assert found[1].end_seconds == 4.01


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\r\n \n", "is empty"),
        (b"my notes", "has no cue"),
        (b"\xff\xfe", "has no cue"),
        (ASS_HEAD.encode(), "has no cue"),
        (random.Random(0).randbytes(5000), "isn't text"),
        (b"\x1a\x45\xdf\xa3" + bytes(100) + b"text" * 100, "isn't text|has no cue"),
        (b"x" * (parsing.MOST_BYTES + 1), "has more than 16 MB"),
    ],
)
@pytest.mark.parametrize("suffix", [".srt", ".vtt", ".ass"])
def test_broken_files_have_a_reason(content: bytes, reason: str, suffix: str) -> None:
    with pytest.raises(VideoError, match=reason):
        parse_subtitles(content, suffix)


def test_the_number_and_length_of_cues_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "MOST_CUES", 3)
    with pytest.raises(VideoError, match="has more than 3 cues"):
        parse_subtitles(srt(*[(at, at + 0.5, "x") for at in range(5)]).encode(), ".srt")
    (cue,) = parse_subtitles(srt((0.0, 1.0, "long " * 10_000)).encode(), ".srt")
    assert len(cue.text) == 2000


def test_a_file_that_cannot_be_opened_has_a_reason(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "no.srt", "No such file"), (tmp_path, "isn't a file")):
        with pytest.raises(VideoError, match=reason):
            read_subtitle_file(path)


def test_which_files_belong_to_a_video(tmp_path: Path) -> None:
    videos = [tmp_path / name for name in ("film.mp4", "film.part2.mp4", "other.mkv", "film.mkv")]
    names = ["film.srt", "film.en.srt", "film.en.forced.SRT", "film.German.vtt", "film.mp4.ass"]
    others = ["film.part2.srt", "film.part2.fr.srt", "films.srt", ".film.srt", "film.txt", "film.a.b.c.d.srt"]
    for name in [*names, *others]:
        (tmp_path / name).write_text("")
    found = {
        video.name: [(one.path.name, one.language) for one in some] for video, some in find_sidecars(videos)
    }
    assert found["film.mp4"] == [
        ("film.German.vtt", "de"),
        ("film.en.forced.SRT", "en"),
        ("film.en.srt", "en"),
        ("film.mp4.ass", ""),
        ("film.srt", ""),
    ]
    assert found["film.mkv"] == [one for one in found["film.mp4"] if one[0] != "film.mp4.ass"]
    assert found["film.part2.mp4"] == [("film.part2.fr.srt", "fr"), ("film.part2.srt", "")]
    assert found["other.mkv"] == []


def test_a_folder_that_is_gone_has_no_subtitles(tmp_path: Path) -> None:
    assert list(find_sidecars([tmp_path / "gone" / "film.mp4"])) == [(tmp_path / "gone" / "film.mp4", ())]


def test_names_of_languages() -> None:
    codes = {
        "eng": "en",
        "English": "en",
        "pt-BR": "pt",
        "ger": "de",
        "zh_Hans": "zh",
        "nob": "no",
        "xx": "xx",
    }
    codes |= dict.fromkeys(("und", "forced", "sdh", "cc", "hi", "x", ""), "")
    assert {name: language_of(name) for name in codes} == codes


def test_webvtt_is_read_back() -> None:
    cues = [Cue(0.0, 1.5, "a <b> & c\nnext line"), Cue(3661.25, 3662.0, "later")]
    text = write_webvtt(cues)
    assert text.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:01.500\na &lt;b&gt; &amp; c\nnext line\n")
    assert parse_subtitles(text.encode(), ".vtt") == cues
    assert write_webvtt([Cue(0.0, 1.0, "\n")]) == "WEBVTT\n"
