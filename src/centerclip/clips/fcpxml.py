"""Writes a list as FCPXML, which Final Cut Pro and DaVinci Resolve read."""

from __future__ import annotations

from fractions import Fraction
from xml.etree.ElementTree import Element, SubElement, indent, tostring  # nosec B405: only writes

from centerclip.clips.edit_list import EditList, Entry
from centerclip.video.timecode import Timecode

__all__ = ["write"]

_VERSION = "1.8"
"""Old enough for everybody, new enough for linked sound."""


def write(edits: EditList) -> str:
    """Write a list: one sequence whose clips refer to files, with their sound."""
    root = Element("fcpxml", version=_VERSION)
    resources = SubElement(root, "resources")
    formats: dict[tuple[Fraction, int, int], str] = {}
    assets: dict[str, str] = {}
    # The sequence looks like the first file of its rate.
    model = next(entry for entry in edits.entries if entry.media.rate == edits.rate)
    own = _format(resources, formats, model)
    for entry in edits.entries:
        _asset(resources, assets, entry, _format(resources, formats, entry))
    event = SubElement(SubElement(root, "library"), "event", name=edits.title)
    sequence = SubElement(
        SubElement(event, "project", name=edits.title),
        "sequence",
        format=own,
        duration=_seconds(sum(map(edits.length, edits.entries)) / edits.rate),
        tcStart="0s",
        tcFormat="DF" if edits.drop else "NDF",
    )
    spine = SubElement(sequence, "spine")
    offset = 0
    for entry in edits.entries:
        length = edits.length(entry)
        SubElement(
            spine,
            "asset-clip",
            name=entry.name,
            ref=assets[entry.place],
            offset=_seconds(offset / edits.rate),
            start=_at(entry.start),
            duration=_seconds(length / edits.rate),
            format=_format(resources, formats, entry),
            tcFormat="DF" if entry.media_start.drop else "NDF",
        )
        offset += length
    indent(root)
    text = tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n{text}\n'


def _format(resources: Element, known: dict[tuple[Fraction, int, int], str], entry: Entry) -> str:
    media = entry.media
    key = (media.rate, media.width, media.height)
    if key not in known:
        known[key] = f"r{len(resources) + 1}"
        SubElement(
            resources,
            "format",
            id=known[key],
            frameDuration=_seconds(1 / media.rate),
            width=str(media.width),
            height=str(media.height),
        )
    return known[key]


def _asset(resources: Element, known: dict[str, str], entry: Entry, form: str) -> None:
    if entry.place in known:
        return
    media = entry.media
    known[entry.place] = f"r{len(resources) + 1}"
    asset = SubElement(
        resources,
        "asset",
        id=known[entry.place],
        name=entry.name,
        src=entry.url,
        start=_at(entry.media_start),
        duration=_seconds(media.frames / media.rate),
        hasVideo="1",
        format=form,
    )
    if media.sounds:
        asset.set("hasAudio", "1")
        asset.set("audioSources", str(len(media.sounds)))
        asset.set("audioChannels", str(entry.channels))
        asset.set("audioRate", str(media.sounds[0].rate))


def _at(timecode: Timecode) -> str:
    return _seconds(timecode.frames / timecode.rate)


def _seconds(value: Fraction) -> str:
    """Write seconds as the format wants them: a fraction, whose frames are whole."""
    return f"{value.numerator}/{value.denominator}s" if value.denominator > 1 else f"{value.numerator}s"
