"""`centerclip remove`: forget videos in the index."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from centerclip.cli import options
from centerclip.cli.formats import count, short_path
from centerclip.cli.options import option
from centerclip.cli.options import places as place_argument
from centerclip.cli.output import note, on_terminal, write_json, write_paths
from centerclip.errors import IndexStoreError
from centerclip.remote import absolute, is_address, may_exist

__all__ = ["remove"]


def remove(
    paths: Annotated[list[Path], place_argument("PATH")],
    dry_run: Annotated[bool, option("Only list what would be removed; change nothing.", "--dry-run")] = False,
    index: options.IndexLocation = None,
    storage: options.StorageOptions = None,
    wait: Annotated[
        float,
        option("How long to wait while another process writes to the index. Default: 0.", metavar="SEC"),
    ] = 0.0,
    json: options.Json = False,
) -> None:
    """Remove videos from the index: files, and all files below folders. The files themselves aren't touched.

    The files need not exist any more. A folder that was given to `centerclip index` is forgotten as well, so
    that the page doesn't index it again. Other files come back with the next run over their folder, as long
    as they are there.

    Piped output has the path of one removed file per line.

    \b
    Examples:
      centerclip remove ~/Videos/private --dry-run
      centerclip remove ~/Videos/private
      centerclip remove s3://bucket/videos/private
    """
    from centerclip.index import VideoIndex

    store = VideoIndex(
        options.index_location(index), create=False, storage_options=options.storage_options(storage)
    )
    places = [path if is_address(path) else absolute(path.expanduser()) for path in paths]
    found = store.below(places)
    roots = [root for root in store.roots if any(root.is_relative_to(place) for place in places)]
    if not (found or roots):
        names = ", ".join(map(short_path, places))
        raise IndexStoreError(
            f"{names}: not in the index {store.location}, nor anything below it. Paths are stored as they "
            "were when they were indexed; see centerclip info"
        )
    if not dry_run:
        with store.writer(wait_seconds=wait) as writer:
            writer.remove(found)
            writer.remove_roots(roots)
            writer.finish()
    if json:
        write_json(*({"path": str(path)} for path in found))
    elif dry_run or not on_terminal():
        write_paths(found, null=False)
    note(f"{'Would remove' if dry_run else 'Removed'} {count(len(found), 'file')} from the index.")
    for place in places:
        if not any(path.is_relative_to(place) for path in (*found, *roots)):
            note(f"{short_path(place)}: not in the index")
    above = {parent for place in places for parent in place.parents}
    kept = [root for root in store.roots if root in above and root not in roots]
    if kept and any(map(may_exist, found)):
        names = ", ".join(map(short_path, kept))
        note(f"Files that still exist will be indexed again by the next run over {names}.")
