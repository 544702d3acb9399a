"""Telling local disks from network file systems, on which PostgreSQL's data and locks are not safe."""

import re
import sys
from pathlib import Path, PurePosixPath
from typing import Final

from djflow.errors import ServerError

# fmt: off
NETWORK_TYPES: Final = frozenset(
    {
        "9p", "afs", "afpfs", "beegfs", "ceph", "cifs", "coda", "davfs", "glusterfs", "gpfs",
        "lustre", "ncpfs", "nfs", "nfs4", "orangefs", "panfs", "pvfs2", "smb3", "smbfs", "webdav",
        "fuse.ceph", "fuse.gcsfuse", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs",
        "fuse.vmhgfs-fuse",
    }
)
# fmt: on
_OCTAL: Final = re.compile(r"\\([0-7]{3})")


def check_local(folder: Path) -> None:
    """Raise `ServerError` if a folder, which need not exist, lies on a network file system."""
    kind = filesystem_type(_mounts(), PurePosixPath(folder))
    if kind in NETWORK_TYPES:
        raise ServerError(
            f"{folder} is on a network file system ({kind}), where PostgreSQL can lose data. "
            "Choose a home on a local disk, or connect to a PostgreSQL server."
        )


def filesystem_type(mounts: dict[PurePosixPath, str], folder: PurePosixPath) -> str | None:
    """The type of the innermost mount that holds a folder.

    >>> mounts = {PurePosixPath("/"): "ext4", PurePosixPath("/home"): "nfs4"}
    >>> [filesystem_type(mounts, PurePosixPath(folder)) for folder in ("/home/ada", "/homes")]
    ['nfs4', 'ext4']
    """
    for place in (folder, *folder.parents):
        if place in mounts:
            return mounts[place]
    return None


def parse_mountinfo(text: str) -> dict[PurePosixPath, str]:
    r"""Mount points and file system types as Linux lists them; of two on one place the later one shows.

    >>> parse_mountinfo("31 24 0:27 / /my\\040disk rw,relatime shared:1 - nfs4 host:/disk rw")
    {PurePosixPath('/my disk'): 'nfs4'}
    """
    mounts = {}
    for line in text.splitlines():
        left, separator, right = line.partition(" - ")
        if separator:
            place = _OCTAL.sub(lambda match: chr(int(match[1], 8)), left.split(" ")[4])
            mounts[PurePosixPath(place)] = right.split(" ")[0]
    return mounts


def parse_mount_command(text: str) -> dict[PurePosixPath, str]:
    """Mount points and file system types as macOS prints them.

    >>> parse_mount_command("//ada@host/share on /Volumes/share (smbfs, nodev, nosuid)")
    {PurePosixPath('/Volumes/share'): 'smbfs'}
    """
    found = re.finditer(r"^.+? on (?P<place>/.*) \((?P<kind>\w+)", text, re.MULTILINE)
    return {PurePosixPath(match["place"]): match["kind"] for match in found}


def _mounts() -> dict[PurePosixPath, str]:
    if sys.platform == "darwin":
        import subprocess

        return parse_mount_command(
            subprocess.run(["/sbin/mount"], capture_output=True, text=True, check=True).stdout
        )
    try:
        return parse_mountinfo(Path("/proc/self/mountinfo").read_text(errors="surrogateescape"))
    except OSError:
        return {}
