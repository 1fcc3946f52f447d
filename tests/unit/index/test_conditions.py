"""The conditions that users write: what is allowed, and that nothing else reaches the store."""

import time
from datetime import datetime
from pathlib import Path

import lancedb
import pyarrow as pa
import pytest
from random_videos import new_index, random_units, random_video

from centerclip.errors import QueryError
from centerclip.index import VideoIndex, snapshot
from centerclip.index.columns import VIDEO_COLUMNS, WINDOW_COLUMNS
from centerclip.index.conditions import instant, parse_condition
from centerclip.index.restriction import Restriction
from centerclip.index.sql import Condition, all_of, any_of, differs, equals


def sql(text: str) -> str:
    return str(parse_condition(text, WINDOW_COLUMNS))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("duration_seconds > 60", "duration_seconds > 60.0"),
        ("WIDTH>=1.92e3 AND NOT height = 1", "(width >= 1920) AND (NOT (height = 1))"),
        ("1 < width or 'b' >= codec", "(width > 1) OR (codec <= 'b')"),
        ("width = 1 or width = 2 and height = 3", "(width = 1) OR ((width = 2) AND (height = 3))"),
        ("(width = 1 or width = 2) and height = 3", "((width = 1) OR (width = 2)) AND (height = 3)"),
        ("not not width != -1", "width <> -1"),
        ("width < height", "width < height"),
        ("path = 'it''s; --'", "path = 'it''s; --'"),
        ("\"path\" = 'x'", "path = 'x'"),
        ("path like '%/2024/%'", "path LIKE '%/2024/%'"),
        ("path not ilike '%%\\%_\\a\\'", "path NOT ILIKE '%\\%_\\\\a\\\\'"),
        ("codec not in ('h264', 'vp9')", "NOT (codec IN ('h264', 'vp9'))"),
        ("start_ms between 0 and 1", "start_ms BETWEEN 0 AND 1"),
        ("codec is null or codec is not null", "(codec IS NULL) OR (NOT (codec IS NULL))"),
        ("true and not false", "(true) AND (NOT (false))"),
        ("size_bytes = 9223372036854775807", "size_bytes = 9223372036854775807"),
        ("modified_seconds >= '2024-05-31T12:00Z'", "modified_seconds >= 1717156800.0"),
        ("Recorded > '2024-05-31T12:00Z'", "recorded_seconds > 1717156800.0"),
    ],
)
def test_what_is_allowed_becomes_the_same_in_sql(text: str, expected: str) -> None:
    assert sql(text) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("array_repeat(path,1000000000) is null", "functions such as 'array_repeat' aren't allowed"),
        ("levenshtein(repeat('a',1000000),repeat('b',1000000))>0", "functions such as 'levenshtein'"),
        ("array_length(generate_series(1,1000000000)) > 0", "functions such as 'array_length'"),
        ("starts_with(path,'/home/')", "functions such as 'starts_with' aren't allowed"),
        ("now () > 1", "functions such as 'now' aren't allowed"),
        ("$1=1", "there is no column '$1'"),
        ("path = ?", "'?' isn't allowed"),
        ("width in (select 1)", "'select' isn't allowed"),
        ("exists (select 1)", "functions such as 'exists' aren't allowed"),
        ("cast(width as text) = '1'", "functions such as 'cast' aren't allowed"),
        ("width::text = '1'", "'::' isn't allowed"),
        ("case when true then true end", "'case' isn't allowed"),
        ("width = 1; drop table windows", "';' isn't allowed"),
        ("width = 1 -- all", "comments aren't allowed"),
        ("width = 1 /* all */", "comments aren't allowed"),
        ("width + 1 = 2", "'+' isn't allowed"),
        ("-width = 1", "'-' isn't allowed"),
        ("path || 'a' = 'b'", "'||' isn't allowed"),
        ("interval '1' day", "'interval' isn't allowed"),
        ("path like '%a' escape 'a'", "'escape' isn't allowed"),
        ("windows.path = 'a'", "there is no column 'windows'"),
        ("banana > 3", "there is no column 'banana'"),
        ('path = "x"', "there is no column 'x' (text needs single quotes)"),
        ("segments = 1", "there is no column 'segments'"),
        ("path = 'x", "a quote is missing"),
        ("(width = 1", "a parenthesis is missing"),
        ("width = 1)", "a parenthesis is missing"),
        ("width =", "it is incomplete, or out of order near '='"),
        ("width = 1 height", "what begins with 'width' isn't a comparison"),
        ("width", "what begins with 'width' isn't a comparison"),
        ("1 < is", "'is' is out of place"),
        ("in like 'x'", "'in' is out of place"),
        ("--", "it has no words"),
        ("1 = 1", "the comparison that begins with '1' has no column"),
        ("width = 1 = 1", "the comparison that begins with 'width' has no column"),
        ("width = null", "width is compared with 'NULL', which is neither"),
        ("width is true", "`is` is followed by null or not null"),
        ("1 in (width)", "in, between and is need a column on their left"),
        ("width in ()", "`in` needs 1 to 200 values in parentheses, but has 0"),
        ("width in (width)", "width is compared with 'width'"),
        ("path > 1", "path holds text, so '1' needs single quotes"),
        ("path > width", "path and width can't be compared"),
        ("width > '1'", "width holds numbers, so '1' can't be compared with it"),
        ("width > 1.5", "1.5 isn't a whole number, as width is"),
        ("width > 2147483648", "2147483648 is more than width can be"),
        ("duration_seconds > 1e999", "1e999 isn't a finite number"),
        ("width like '1'", "like needs a column of text on its left"),
        ("path like codec", "like needs a pattern in single quotes on its right"),
        ("path like 'a' 'b'", "like needs a pattern"),
        ("modified_seconds > 'yesterday'", "'yesterday' isn't a date, which is written like 2026-05-31"),
        ("modified_seconds > '0001-01-01'", "'0001-01-01' isn't a date"),
        ("path = '\ud800'", "it isn't valid Unicode"),
        # Limits
        ("(" * 100_000, "it has more than 10000 characters"),
        ("not " * 100_000, "it has more than 10000 characters"),
        ("(" * 900 + "width = 1" + ")" * 90, "only 10 parentheses within each other and 20 times `not`"),
        ("not " * 900 + "width = 1", "only 10 parentheses within each other and 20 times `not`"),
        ("width = not " * 300 + "1", "only 10 parentheses within each other and 20 times `not`"),
        ("width between 1 and not " * 150 + "1", "only 10 parentheses within each other and 20 times `not`"),
        ("width = 1 or " * 400 + "width = 1", "it has 1603 words and signs, but 1 to 1000 are allowed"),
        (f"width in ({', '.join(['1'] * 201)})", "`in` needs 1 to 200 values in parentheses, but has 201"),
        (f"path like '{'a' * 301}'", "a pattern has more than 300 characters"),
        (f"path like '{'%a' * 11}'", "a pattern has more than 10 times %"),
    ],
    ids=lambda text: text[:40],
)
def test_everything_else_is_refused_in_one_line(text: str, problem: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse_condition(text, WINDOW_COLUMNS)
    message = str(caught.value)
    assert f"can't be used: {problem}" in message
    assert message.endswith(
        "Compare the columns path, video_id, duration_seconds, size_bytes, modified_seconds, width, height, "
        "frame_rate, codec, recorded, start_ms, end_ms with =, <>, <, <=, >, >=, like, ilike, in, between or "
        "is null, and join comparisons by and, or, not"
    )
    assert len(message) < 1000
    assert len(message.splitlines()) == 1


def test_the_largest_conditions_neither_exhaust_the_parser_nor_the_store(tmp_path: Path) -> None:
    index = new_index(tmp_path, random_video("/v/a.mp4"))
    everything = f"width = 1{' or width = 640' * 249}"
    nested = "width = 640"
    for _ in range(10):
        nested = f"not ({nested}) or height = 360 and width > 1"
    denied_once = "not " * 19 + "width = 640"
    denied = "not " * 20 + "(" * 10 + "width = 640" + ")" * 10
    values = f"width in (640{', 1' * 199})"
    pattern = f"path like '{'%' * 290}{'_' * 8}%'"

    def use(frames: int) -> None:
        if frames:  # a caller may have used half of the stack
            use(frames - 1)
            return
        for text in (everything, nested, denied, denied_once, values, pattern):
            assert len(index.videos(text)) == (text != denied_once)

    use(400)


def test_an_empty_condition_is_none_and_a_parsed_one_stays() -> None:
    assert parse_condition(None, WINDOW_COLUMNS) is None
    assert parse_condition(" \n", WINDOW_COLUMNS) is None
    known = Condition("width = 1")
    assert parse_condition(known, WINDOW_COLUMNS) is known


def test_videos_have_other_columns_than_windows() -> None:
    assert str(parse_condition("state = 'done'", VIDEO_COLUMNS)) == "state = 'done'"
    for text, columns in (("state = 'done'", WINDOW_COLUMNS), ("start_ms = 0", VIDEO_COLUMNS)):
        with pytest.raises(QueryError, match="there is no column"):
            parse_condition(text, columns)


def test_a_column_can_stand_for_an_expression() -> None:
    spelled = {"path": "lower(path)"}
    text = str(parse_condition("path > 'a' and codec = path and path is null", WINDOW_COLUMNS, spelled))
    assert text == "(lower(path) > 'a') AND (codec = lower(path)) AND (lower(path) IS NULL)"


def test_a_date_is_its_first_instant_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert instant("2024-05-31") == datetime.fromisoformat("2024-05-31T04:00:00+00:00").timestamp()
        assert instant(" 2024-01-31T01:30 ") == datetime.fromisoformat("2024-01-31T06:30Z").timestamp()
        assert instant("2024-05-31T00:00:00.5Z") == 1717113600.5
        assert instant("9999-12-31") > 2.5e11
    finally:
        monkeypatch.undo()
        time.tzset()
    for text in ("", "2024", "2024-13-01", "12:30", "0001-01-01", "0001-01-01T00:00+23:00", "٢٠٢٤-٠١-٠١"):
        with pytest.raises(ValueError, match="."):
            instant(text)


def test_conditions_of_the_package_are_joined_with_parentheses() -> None:
    assert all_of(None, None) is None
    joined = all_of(equals("path", "it's"), None, any_of("codec", ["a", "b"]), differs("width", 1))
    assert str(joined) == "(path = 'it''s') AND (codec IN ('a', 'b')) AND (width <> 1)"


def test_a_bad_condition_is_refused_while_the_index_is_empty(tmp_path: Path) -> None:
    empty = VideoIndex(tmp_path / "none")
    with pytest.raises(QueryError, match="banana"):
        empty.search(random_units(0), where="banana = 1")
    with pytest.raises(QueryError, match="banana"):
        empty.videos("banana = 1")


@pytest.mark.parametrize("limit", [snapshot.EXACT_LIMIT, 5])  # searched in memory, and by the store
def test_a_search_ends_when_its_time_is_up(
    limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "EXACT_LIMIT", limit)
    index = new_index(tmp_path, *(random_video(f"/v/{at}.mp4") for at in range(9)))
    assert len(index.search(random_units(0), where="width = 640", seconds=600)[0].windows) == 10
    with pytest.raises(QueryError, match="the search took too long: use a simpler condition"):
        index.search(random_units(0), where="width = 640", seconds=0)


def test_the_store_stops_reading_when_the_time_is_up(tmp_path: Path) -> None:
    paths = [f"/{'ab' * 250}{at}" for at in range(100_000)]  # 0.2 s of work
    table = lancedb.connect(tmp_path).create_table("windows", data=pa.table({"path": paths}))
    hard = parse_condition(f"path like '%{'b%' * 8}z'", WINDOW_COLUMNS)
    query = table.search().where(str(hard))
    assert Restriction().read(query).num_rows == 0
    with pytest.raises(QueryError, match="the search took too long"):
        Restriction(deadline=time.monotonic() + 0.002).read(query)
    with pytest.raises(ValueError, match="no_such_column"):
        Restriction(deadline=time.monotonic() + 60).read(table.search().where("no_such_column = 1"))
