"""The ways out of a search: clips, a reel, edit lists and a player."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from centerclip.atomic import write_atomically
from centerclip.cli.formats import count, short_path
from centerclip.cli.indexing import SOME_FAILED
from centerclip.cli.options import option
from centerclip.cli.output import note
from centerclip.cli.playing import find_player, play_moment
from centerclip.cli.progress import Bar
from centerclip.errors import VideoError

if TYPE_CHECKING:
    from centerclip.clips import Moment
    from centerclip.records import Failed
    from centerclip.search import Hit

__all__ = ["Clips", "Csv", "Edl", "FcpXml", "Otio", "Outlets", "Pad", "Pick", "Play", "Player", "ReelFile"]

_LONGEST_PAD = 3600


def _file(text: str, name: str) -> Any:
    return option(text, name, metavar="FILE")


Clips = Annotated[Path | None, option("Cut the moments to files here.", "--clips", metavar="FOLDER")]
ReelFile = Annotated[Path | None, _file("Join the moments to one new MP4 file.", "--reel")]
Edl = Annotated[Path | None, _file("List the moments in a new EDL (CMX 3600).", "--edl")]
FcpXml = Annotated[Path | None, _file("List them for Final Cut Pro or DaVinci Resolve.", "--fcpxml")]
Otio = Annotated[Path | None, _file("List them as an OpenTimelineIO file.", "--otio")]
Csv = Annotated[Path | None, _file("List them as a table.", "--csv")]
Pad = Annotated[
    float,
    option(
        "Seconds to add before and after each clip and listed moment. Default: 0.",
        "--pad",
        metavar="SECONDS",
        min=0,
        max=_LONGEST_PAD,
    ),
]
Play = Annotated[bool, option("Open the best hit at its moment in mpv or VLC.", "--play")]
Pick = Annotated[
    int | None, option("With --play: open this hit instead. Default: 1.", "--pick", metavar="N", min=1)
]
Player = Annotated[
    str | None,
    option(
        "With --play: mpv, vlc, or the path of one. Default: the first one found.",
        "--player",
        metavar="NAME",
        envvar="CENTERCLIP_PLAYER",
    ),
]


@dataclass
class Outlets:
    """What to do with the hits besides printing them.

    Attributes:
        clips: folder for a clip per hit.
        reel: file for all hits in one film.
        lists: file per format of edit list.
        pad: seconds before and after each moment.
        play: whether to open a hit in a player.
        pick: its rank; None for the best.
        player: its name or path; None for the first one found.
    """

    clips: Path | None
    reel: Path | None
    lists: Mapping[str, Path | None]
    pad: float
    play: bool
    pick: int | None
    player: str | None
    failed: list[Failed] = field(default_factory=list)

    def check(self) -> None:
        """Find mistakes before anything is loaded.

        Raises:
            BadParameter: a file can't be created where it should, or an option has nothing to act on.
            ConfigError: there is no player.
        """
        if self.clips is not None:
            self.clips = self.clips.expanduser()
            if self.clips.exists() and not self.clips.is_dir():
                raise typer.BadParameter(f"{self.clips} is a file, not a folder", param_hint="--clips")
        self.lists = {kind: _new_file(path, f"--{kind}") for kind, path in self.lists.items() if path}
        self.reel = _new_file(self.reel, "--reel") if self.reel else None
        if self.reel is not None and self.reel.suffix.lower() != ".mp4":
            raise typer.BadParameter(f"{self.reel} must end with .mp4", param_hint="--reel")
        if self.pick is not None and not self.play:
            raise typer.BadParameter("--pick needs --play", param_hint="--pick")
        if self.pad and not (self.clips or self.reel or self.lists or self.play):
            raise typer.BadParameter(
                "--pad needs --clips, --reel, --play or an edit list", param_hint="--pad"
            )
        if self.play:
            self.player = find_player(self.player)

    def cut(self, hits: Sequence[Hit]) -> dict[int, dict[str, str | None]]:
        """Cut the clips; return for each rank the field `clip` of its hit, which is None if that failed."""
        if self.clips is None or not hits:
            return {}
        from centerclip.clips import Clip, cut_moments

        made: dict[int, dict[str, str | None]] = {hit.rank: {"clip": None} for hit in hits}
        copied = 0
        with Bar("Cutting", unit="clips") as bar:
            for number, outcome in enumerate(cut_moments(self._moments(hits), self.clips), start=1):
                bar.advance(number, len(hits))
                if isinstance(outcome, Clip):
                    made[outcome.moment.rank]["clip"] = str(outcome.path)
                    copied += outcome.cut.copied
                else:
                    self.failed.append(outcome)
        done = sum(clip["clip"] is not None for clip in made.values())
        how = f"{copied} copied, {done - copied} encoded"
        note(f"Cut {count(done, 'clip')} into {short_path(self.clips)}: {how}.")
        return made

    def finish(self, hits: Sequence[Hit], *, title: str) -> int:
        """Make the reel and the lists, list what failed, and open the player; return the exit code."""
        if self.reel is not None:
            self._join(hits, self.reel)
        if self.lists:
            self._list(hits, title)
        failed = list(dict.fromkeys(self.failed))
        if failed:
            note(f"{count(len(failed), 'file')} failed:", style="red")
            for one in failed:
                note(f"{short_path(one.path)}: {one.reason}", indent=2)
        if self.play and self.player is not None:
            chosen = next((hit for hit in hits if hit.rank == (self.pick or 1)), None)
            if chosen is None:
                raise typer.BadParameter(f"there are only {count(len(hits), 'hit')}", param_hint="--pick")
            play_moment(self.player, chosen.path, max(0.0, chosen.start - self.pad))
        return SOME_FAILED if failed else 0

    def _moments(self, hits: Sequence[Hit]) -> list[Moment]:
        from centerclip.clips import Moment

        return [Moment(hit.path, hit.start, hit.end, hit.rank, hit.score).padded(self.pad) for hit in hits]

    def _join(self, hits: Sequence[Hit], target: Path) -> None:
        from centerclip.clips import Reel, make_reel
        from centerclip.records import Failed

        try:
            with Bar("Joining", unit="moments") as bar:
                for number, outcome in enumerate(make_reel(self._moments(hits), target), start=1):
                    bar.advance(min(number, len(hits)), len(hits))
                    if isinstance(outcome, Failed):
                        self.failed.append(outcome)
                    elif isinstance(outcome, Reel):
                        note(f"Joined {count(len(outcome.moments), 'moment')} to {short_path(target)}.")
        except VideoError as error:
            self.failed.append(Failed(target, str(error).removeprefix(f"{target}: ")))

    def _list(self, hits: Sequence[Hit], title: str) -> None:
        from centerclip.clips import make_edit_list

        edits, failed = make_edit_list(self._moments(hits), title)
        self.failed += failed
        if edits is None:
            return
        kinds = {kind: path for kind, path in self.lists.items() if path is not None}
        for kind, path in kinds.items():
            write_atomically(path, edits.written(kind).encode("utf-8", "surrogateescape"))
            note(f"Listed {count(len(edits.entries), 'moment')} in {short_path(path)}.")
        for remark in edits.notes(kinds):
            note(f"{remark[0].upper()}{remark[1:]}.", style="yellow")


def _new_file(path: Path, name: str) -> Path:
    path = path.expanduser()
    if path.exists():
        raise typer.BadParameter(f"{path} exists already: choose another name", param_hint=name)
    if not path.parent.is_dir():
        raise typer.BadParameter(f"the folder {path.parent} doesn't exist", param_hint=name)
    return path
