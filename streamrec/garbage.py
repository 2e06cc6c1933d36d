"""Python's collector of cyclic garbage, told that this is a process with much that stays.

By default it walks all young objects after every 700 allocations, and now and then everything that there is. A batch of events
makes hundreds of thousands of objects that live until the batch is committed, and reference counts free nearly all of them: the
collector took a third of a worker's time, and its full walks over the table of jobs stopped a lookup for as long as that takes.
What loaded a process stays for good, so it is set aside (`gc.freeze`); the rest is looked at more rarely. See ops/benchmarks.md.
"""

import gc
from typing import Final

_YOUNG: Final = 50_000  # objects allocated and not freed between two walks over the youngest
_MIDDLE: Final = 20  # such walks before those that survived one are walked again
_OLD: Final = 50  # and of these before everything is, if enough has come to it


def settle() -> None:
    """Call it when the process is about to begin its work, and again when much has been loaded that will stay.

    Takes as long as a walk over everything: a fifth of a second for a million objects.
    """
    gc.unfreeze()  # what was set aside before may have been replaced since
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
