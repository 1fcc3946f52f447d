"""From the bytes of a subtitle file to its text: Unicode, or an encoding from before it."""

from __future__ import annotations

import codecs

from centerclip.errors import VideoError

__all__ = ["decode"]

# Longest first: the mark of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE_BYTES = 65_536
_OF_LANGUAGES = {
    "ar fa ur": ("cp1256",),
    "bg mk": ("cp1251",),
    "be ru": ("cp1251", "koi8_r"),
    "bs cs hr hu pl ro sk sl sq": ("cp1250", "iso8859_2"),
    "da de en es fi fr id it nl no pt sv": ("cp1252",),
    "el": ("cp1253",),
    "et lt lv": ("cp1257",),
    "he": ("cp1255",),
    "ja": ("euc_jp", "cp932"),
    "ko": ("cp949",),
    "sr": ("cp1250", "cp1251"),
    "th": ("cp874",),
    "tr": ("cp1254",),
    "uk": ("cp1251", "koi8_u"),
    "vi": ("cp1258",),
    "zh": ("gb18030", "big5"),
}
"""The encodings in which subtitles of these languages are found, besides Unicode."""
_OF_LANGUAGE = {code: known for codes, known in _OF_LANGUAGES.items() for code in codes.split()}
_RARE = ("cp874", "cp1258")
"""Few words of other languages are mistaken for these, so they are tried last."""
_COMMON = tuple(dict.fromkeys(one for known in _OF_LANGUAGES.values() for one in known if one not in _RARE))
"""Encodings of old Macs and of DOS aren't among them, for the same reason."""


def decode(content: bytes, language: str = "") -> str:
    """Return a file's text; bytes that don't belong to its encoding are replaced.

    Args:
        content: of the file.
        language: its code, if the file's name says it. It tells encodings apart that a few words can't.

    Raises:
        VideoError: it isn't text.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    head = content[:_SAMPLE_BYTES]
    if zeros := head.count(0):
        if zeros * 4 < len(head):
            raise VideoError("isn't text")
        return content.decode(
            "utf-16-be" if head[::2].count(0) > head[1::2].count(0) else "utf-16-le", "replace"
        )
    text = content.decode("utf-8", "replace")
    damaged = text.count("\ufffd")
    # What a few wrong bytes damage is still UTF-8, which text of another encoding resembles only by chance.
    if not damaged or 5 * damaged < sum(letter > "\x7f" for letter in text):
        return text
    strange = sum(byte < 32 and byte not in b"\t\n\r\f\x1a" for byte in head)
    if strange * 50 > len(head):
        raise VideoError("isn't text")
    # Half a letter at the end of the sample would rule encodings out.
    return content.decode(_older(head[: head.rfind(b"\n") + 1] or head, language), "replace")


def _older(sample: bytes, language: str) -> str:
    """Return the encoding from before Unicode that a text most likely has."""
    known = _OF_LANGUAGE.get(language, ())
    if len(known) == 1:
        return known[0]
    from charset_normalizer import from_bytes  # few files need it

    for some in (known,) if known else (_COMMON, _RARE):
        if (best := from_bytes(sample, cp_isolation=list(some)).best()) is not None:
            return best.encoding
    return known[0] if known else "cp1252"
