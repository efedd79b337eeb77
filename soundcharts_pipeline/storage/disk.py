"""How much room a disk has, and from when on it counts as full."""

import errno
import shutil
from pathlib import Path

# SQLite opens no file of ours on less than a few kilobytes, and what failed on a full disk may have given some back.
FULL_BYTES = 10_000_000
# What the system says then.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
MEGABYTE, GIGABYTE = 1_000_000, 1_000_000_000


def free_bytes(path: Path) -> int:
    """What a user may still write on the disk of this file or folder, which need not be there yet."""
    above = path.absolute()
    return shutil.disk_usage(next(one for one in (above, *above.parents) if one.exists())).free


def is_full(path: Path) -> bool:
    """Whether next to nothing is left."""
    return free_bytes(path) < FULL_BYTES


def free_in_words(path: Path) -> str:
    """`9,412 bytes free there`."""
    free = free_bytes(path)
    if free < FULL_BYTES:
        return f"{free:,} bytes free there"
    return f"{free // MEGABYTE:,} MB free there" if free < GIGABYTE else f"{free / GIGABYTE:,.1f} GB free there"
