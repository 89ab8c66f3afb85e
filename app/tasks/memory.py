"""How a job's process keeps memory: many objects that no cycle holds, a few of them for long, and large pages of XML.

At its default settings Python's collector looks through a fleet's records again and again while they are being made: a
bare boto3 paginator takes a third less time at the settings below. And glibc gives each thread an arena of its own, and
learns from the first page to keep what large ones leave: a discovery then holds a third more than it uses.
"""

import ctypes
import gc

#: New objects until the youngest are looked through, and how many such turns until the older ones are.
THRESHOLDS = (50_000, 20, 50)

#: Of malloc.h, for mallopt(3). Blocks from the threshold on are given back at once; to set it ends the learning.
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
MMAP_THRESHOLD_BYTES = 1024 * 1024


def tune_memory() -> None:
    """Leave what is there now out of every collection, look less often, and give back what pages leave.

    Before a worker forks, so that its processes go on sharing the memory that no collection writes to.
    """
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # another C library may have none, or take it and do nothing
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)
