"""Which folders other machines may change, of which no events come, and where a disk may be unmounted."""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = ["is_on_network", "may_be_unmounted", "network_mounts"]

_TABLE = Path("/proc/self/mountinfo")
"""Linux only; elsewhere nothing counts as a network folder."""
_KINDS = frozenset(
    {"9p", "afs", "ceph", "cifs", "drvfs", "glusterfs", "lustre", "nfs", "nfs4", "prl_fs", "smb2", "smb3"}
    | {"smbfs", "vboxsf", "virtiofs", "vmhgfs"}
)
"""Names of file systems, which include folders that a virtual machine shares with its host."""
_USER_SPACE = "fuse."
"""What the names of others begin with, such as sshfs and rclone."""
_ESCAPED = re.compile(r"\\([0-7]{3})")


def network_mounts(table: str) -> list[str]:
    """Return where network file systems are mounted, according to a table in the format of mountinfo."""
    found = []
    for line in table.splitlines():
        fields, _, kinds = line.partition(" - ")
        kind, parts = kinds.split(" ")[0], fields.split(" ")
        if len(parts) > 4 and (kind in _KINDS or kind.startswith(_USER_SPACE)):
            found.append(_ESCAPED.sub(lambda match: chr(int(match[1], 8)), parts[4]))
    return found


def is_on_network(path: Path, table: Path = _TABLE) -> bool:
    """Whether a network file system contains a path, or is mounted below it."""
    try:
        text = table.read_bytes().decode(errors="surrogateescape")
    except OSError:
        return False
    real = os.path.join(os.path.realpath(path), "")
    mounts = [os.path.join(mount, "") for mount in network_mounts(text)]
    return any(real.startswith(mount) or mount.startswith(real) for mount in mounts)


def may_be_unmounted(path: Path) -> bool:
    """Whether a file that is gone may be on a disk that isn't mounted.

    That is so if the nearest folder above it that exists is empty, or can't be listed.
    """
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is None
    except OSError:
        return True
