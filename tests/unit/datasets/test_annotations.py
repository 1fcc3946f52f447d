"""Annotation files in their published formats, and errors that name file, place and remedy."""

import copyreg
import json
import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from centerclip.datasets.annotations import find_annotation, read_ids, read_json, read_pickle, read_rows
from centerclip.errors import DatasetError

WORDS = {"a_1_2": [["a", "cat", "sleeps"], ["it", "naps"]], "b_3_4": [["äöü"]]}


@dataclass(frozen=True)
class Entry:
    sentences: list[str]


def test_the_first_existing_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text("{}")
    assert find_annotation(tmp_path, "a.json", "b.json") == tmp_path / "b.json"
    (tmp_path / "a.json").write_text("{}")
    assert find_annotation(tmp_path, "a.json", "b.json") == tmp_path / "a.json"
    with pytest.raises(DatasetError, match=r"has no c\.json or d\.json: put the published file there"):
        find_annotation(tmp_path, "c.json", "d.json")
    with pytest.raises(DatasetError, match=r"folder not found: .*nowhere"):
        find_annotation(tmp_path / "nowhere", "a.json")


def test_json_plain_with_byte_order_mark_and_zipped(tmp_path: Path) -> None:
    text = json.dumps({"v": {"sentences": ["ein Bär"], "more": 1}}, ensure_ascii=False)
    plain, marked, zipped = tmp_path / "a.json", tmp_path / "b.json", tmp_path / "c.zip"
    plain.write_text(text, encoding="utf-8")
    marked.write_text(text, encoding="utf-8-sig")
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("readme.txt", "hello")
        archive.writestr("a.json", text)
        archive.writestr("__MACOSX/._a.json", "shadow")
    for path in (plain, marked, zipped):
        assert read_json(path, dict[str, Entry]) == {"v": Entry(["ein Bär"])}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"a\.json: Invalid JSON"),
        ("[]", r"a\.json: Input should be an object"),
        ('{"v": {}}', r"a\.json, at v\.sentences: Field required"),
        ('{"v": {"sentences": ["x", 3, 4]}}', r"at v\.sentences\.1: .*valid string \(and 1 more places\)"),
    ],
)
def test_json_of_another_layout(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_json(tmp_path / "a.json", dict[str, Entry])


def test_unsound_zip_files(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"PK\x03\x04 no")
    with pytest.raises(DatasetError, match="not a valid zip file"):
        read_json(path, dict[str, str])
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.json", "{}")
        archive.writestr("b.json", "{}")
    with pytest.raises(DatasetError, match=r"has 2 \.json files"):
        read_json(path, dict[str, str])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", '{"a": "' + "b" * 500 + '"}')
    content = bytearray(path.read_bytes())
    content[40:46] = b"\xff" * 6
    path.write_bytes(content)
    with pytest.raises(DatasetError, match="not a valid zip file"):
        read_json(path, dict[str, str])


def test_unreadable_and_undecodable(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="can't be read"):
        read_json(tmp_path, dict[str, str])
    (tmp_path / "a.txt").write_bytes(b"ok\n\xe4\n")
    with pytest.raises(DatasetError, match="byte 3 is not UTF-8"):
        read_ids(tmp_path / "a.txt")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_every_protocol(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "raw-captions.pkl"
    path.write_bytes(pickle.dumps(WORDS, protocol=protocol))
    assert read_pickle(path, dict[str, list[list[str]]]) == WORDS
    # What Python 2 wrote for {'a': [['cat']]}: its str are bytes.
    path.write_bytes(b"(dp0\nS'a'\np1\n(lp2\n(lp3\nS'cat'\np4\naas.")
    assert read_pickle(path, dict[str, list[list[str]]]) == {"a": [["cat"]]}


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


def test_pickles_run_no_code(tmp_path: Path) -> None:
    path, trace = tmp_path / "raw-captions.pkl", tmp_path / "trace"
    content = pickle.dumps({"a": Touch(trace)})
    pickle.loads(content)
    assert trace.exists()
    trace.unlink()
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"raw-captions\.pkl: asks for .*only plain containers"):
        read_pickle(path, dict[str, list[list[str]]])
    assert not trace.exists()


def test_other_ways_to_run_code_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(DatasetError, match=r"asks for os\.system"):
        read_pickle(path, dict[str, str])
    path.write_bytes(b"Pwhere\n.")  # a persistent id
    with pytest.raises(DatasetError, match="objects outside the file"):
        read_pickle(path, dict[str, str])
    copyreg.add_extension("os", "system", 0xF0)
    try:
        path.write_bytes(b"\x80\x02\x82\xf0.")
        with pytest.raises(DatasetError, match=r"asks for os\.system"):
            read_pickle(path, dict[str, str])
    finally:
        copyreg.remove_extension("os", "system", 0xF0)


@pytest.mark.parametrize("content", [b"", b"hello", pickle.dumps(WORDS)[:-9], b"\x80\x05K", b"I1\nR."])
def test_damaged_pickles(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match="not a valid pickle"):
        read_pickle(path, dict[str, list[list[str]]])
    path.write_bytes(pickle.dumps({"a": ["a cat"]}))
    with pytest.raises(DatasetError, match=r"a\.pkl, at a\.0: Input should be a valid list"):
        read_pickle(path, dict[str, list[list[str]]])


def test_lists(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("-a\r\nb c\n\n d\n")
    assert read_ids(path) == ["-a", "b c", "d"]
    path.write_text("a\nb\na\n")
    with pytest.raises(DatasetError, match=r"list\.txt lists a 2 times"):
        read_ids(path)
    path.write_text("\n")
    with pytest.raises(DatasetError, match="lists no videos"):
        read_ids(path)


def test_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes('\ufeffid,text\r\n1,"a, ""b""\nc"\r\n2,d\r\n'.encode())
    assert list(read_rows(path, ["id", "text"])) == [
        (3, {"id": "1", "text": 'a, "b"\nc'}),
        (4, {"id": "2", "text": "d"}),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,no\n1,a\n", r"a\.csv has no column text; its first line must name id, text, but names id, no"),
        ("", "names nothing"),
        ("id,text\n1,a\n2\n", r"a\.csv, line 3: not 2 values"),
        ("id,text\n1,a,b\n", "line 2: not 2 values"),
        ("id,text\n1,a\n2, \n", "line 3: text is empty; fill it in or remove the row"),
        ('id,text\n1,"a\n', "line 2: not comma-separated values"),
        ('id,text\n1,"a"b\n', "line 2: not comma-separated values"),
    ],
)
def test_wrong_rows_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        list(read_rows(tmp_path / "a.csv", ["id", "text"]))
