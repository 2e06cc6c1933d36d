"""One thing that ``streamrec doctor`` has looked at."""

from typing import Literal

import msgspec

Level = Literal["ok", "warning", "broken"]


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at; `remedy` is empty where nothing is to be done."""

    level: Level
    area: str
    what: str
    remedy: str = ""
