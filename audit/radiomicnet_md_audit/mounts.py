# SPDX-License-Identifier: Apache-2.0
"""SQLite's write-ahead log needs memory that all its users share, which a network file system does not give them.

Source: proc_pid_mountinfo(5). Where a system does not list its mounts so, nothing is known and nothing is refused.
"""

from __future__ import annotations

import re
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")

# Types as the kernel names them; FUSE writes `fuse.` and the program behind it.
_NETWORK = re.compile(
    r"nfs\d?|cifs|smb\d?|smbfs|ncpfs|9p|afs|ceph|coda|gfs2|glusterfs|lustre|ocfs2|orangefs|beegfs|gpfs|davfs"
    r"|fuse\.(sshfs|rclone|s3fs|gcsfuse|davfs2?|glusterfs|ceph.*|curlftpfs|smbnetfs|mfs.*)"
)
_ESCAPED = re.compile(r"\\([0-7]{3})")


def network_type(path: Path) -> str | None:
    """Return the type of the network file system that a path lies on; None where it is another, or none is known."""
    try:
        lines = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    resolved, at, kind = path.resolve(), -1, None
    for line in lines:
        place, _, more = line.partition(" - ")
        fields = place.split(" ")
        if len(fields) < 5 or not more:  # noqa: PLR2004 -- the mount point is the fifth
            continue
        point = Path(_ESCAPED.sub(lambda match: chr(int(match[1], 8)), fields[4]))
        # Of two mounts at one place, the later one is in force.
        if resolved.is_relative_to(point) and len(point.parts) >= at:
            at, kind = len(point.parts), more.split(" ")[0]
    return kind if kind is not None and _NETWORK.fullmatch(kind) else None
