"""Examples of the query language; `tests/property` tests what is true for all queries."""

from pathlib import Path

import pytest

from centerclip.errors import QueryError
from centerclip.search import Query, Term, parse_query


def terms(text: str, *, files: bool = True) -> list[tuple[str | Path, float]]:
    return [(term.content, term.weight) for term in parse_query(text, files=files).terms]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a red car", [("a red car", 1)]),
        ("  a red car\n", [("a red car", 1)]),
        ("beach + sunset - people", [("beach", 1), ("sunset", 1), ("people", -1)]),
        ("beach  +\n sunset", [("beach", 1), ("sunset", 1)]),
        ("-people", [("people", -1)]),
        ("- people + dogs", [("people", -1), ("dogs", 1)]),
        ("+beach", [("beach", 1)]),
        ("2:beach - .5:people + 1.25: sea", [("beach", 2), ("people", -0.5), ("sea", 1.25)]),
        ("black-and-white C++ a+b", [("black-and-white C++ a+b", 1)]),
        ("a -b", [("a -b", 1)]),
        ("the 10:30 train", [("the 10:30 train", 1)]),
        ("10:30 train", [("10:30 train", 1)]),
        ("note: well", [("note: well", 1)]),
        ('"rock + roll" + dance', [("rock + roll", 1), ("dance", 1)]),
        ('2:"rock - roll"', [("rock - roll", 2)]),
        ('a "red" car', [('a "red" car', 1)]),
        ('"red" car', [('"red" car', 1)]),
        ('6" pipe + tape', [('6" pipe', 1), ("tape", 1)]),
        ('"2:beach"', [("2:beach", 1)]),
        ("and/or", [("and/or", 1)]),
        ("Küche + 日本", [("Küche", 1), ("日本", 1)]),
    ],
)
def test_words(text: str, expected: list[tuple[str, float]]) -> None:
    assert terms(text) == expected


@pytest.mark.parametrize(
    "text", ["", "   ", '""', "+", "-", "beach +", "a + + b", "2:", "beach - 2:", '" " + a']
)
def test_a_missing_term_is_an_error(text: str) -> None:
    with pytest.raises(QueryError, match="give some words|needs words after it"):
        parse_query(text)


def test_a_weight_of_zero_is_an_error() -> None:
    with pytest.raises(QueryError, match="weight 0"):
        parse_query("0:beach")
    with pytest.raises(QueryError, match="weight nan"):
        Query((Term("beach", float("nan")),))
    with pytest.raises(QueryError, match="empty"):
        Query(())


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "sub").mkdir()
    for name in ("beach.jpg", "Band - Song.mp4", "sub/clip", "plain", "it's 100% + more.mp4"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "sub"))
    return tmp_path


def test_files_alone_and_mixed(here: Path) -> None:
    assert terms("./beach.jpg") == [(Path("beach.jpg"), 1)]
    assert terms("beach.jpg - people") == [(Path("beach.jpg"), 1), ("people", -1)]
    assert terms("sunset + 0.5:sub/clip") == [("sunset", 1), (Path("sub/clip"), 0.5)]
    assert terms("~/clip") == [(here / "sub/clip", 1)]
    assert terms(f"{here}/plain + ../{here.name}/plain") == [
        (here / "plain", 1),
        (Path(f"../{here.name}/plain"), 1),
    ]


def test_a_file_with_signs_in_its_name(here: Path) -> None:
    assert terms("Band - Song.mp4") == [(Path("Band - Song.mp4"), 1)]
    assert terms("./it's 100% + more.mp4") == [(Path("it's 100% + more.mp4"), 1)]
    assert terms('"./Band - Song.mp4" - people') == [(Path("Band - Song.mp4"), 1), ("people", -1)]
    assert terms("Band - Song.mp4 + x") == [("Band", 1), ("Song.mp4", -1), ("x", 1)]


def test_text_that_only_resembles_a_file_is_words(here: Path) -> None:
    for text in ("plain", "sub", "no/such.jpg", '"beach.jpg"', "x" * 5000 + ".jpg", "a\0.jpg"):
        assert terms(text) == [(text.strip('"'), 1)]


@pytest.mark.parametrize(
    "text", ["./none.jpg", "/no/file", "~/none", "a + ../none", "./sub", '"./a - b"', "~a\0/b"]
)
def test_a_path_without_a_file_is_an_error(here: Path, text: str) -> None:
    with pytest.raises(QueryError, match="File not found"):
        parse_query(text)


def test_a_printed_query_can_be_parsed(here: Path) -> None:
    query = parse_query('-2:beach + beach.jpg + "a + b" - say "hi"')
    assert str(query) == '- 2:"beach" + "./beach.jpg" + "a + b" - 1:say "hi"'
    assert parse_query(str(query)) == Query(
        (Term("beach", -2.0), Term(Path("beach.jpg")), Term("a + b"), Term('say "hi"', -1.0))
    )


def test_a_file_of_an_unknown_user_is_not_found() -> None:
    with pytest.raises(QueryError, match="File not found: ~nobody-here/a.jpg"):
        parse_query("~nobody-here/a.jpg + a car")


def test_an_error_about_a_weight_is_one_line() -> None:
    with pytest.raises(QueryError, match="the weight 0 of .* must be") as caught:
        parse_query('0:"2:\n"')
    assert "\n" not in str(caught.value)
