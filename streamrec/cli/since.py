"""Points in time on the command line."""

import re
import time
from datetime import UTC, datetime
from typing import Final

import click

_UNITS_MS: Final = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_AGO: Final = re.compile(r"(\d{1,9})([smhd])")


class Since(click.ParamType):
    """A time ago (``2h``) or an ISO 8601 time (UTC unless it says otherwise), as milliseconds since the epoch.

    Examples
    --------
    >>> Since().convert("2023-11-14", None, None), Since().convert("2023-11-14T23:13:20+01:00", None, None)
    (1699920000000, 1700000000000)
    """

    name = "2h|3d|TIME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Milliseconds since the epoch; a text that is no time is a usage error."""
        if isinstance(value, int):
            return value
        text = str(value)
        if found := _AGO.fullmatch(text):
            return time.time_ns() // 1_000_000 - int(found[1]) * _UNITS_MS[found[2]]
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            self.fail(f"{text!r} is neither such as 30m, 2h or 3d nor a time such as 2026-05-01T12:00", param, ctx)
        return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
