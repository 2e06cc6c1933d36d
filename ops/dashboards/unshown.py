"""Metrics that no panel shows, each with the reason. A test holds that all others are on one."""

from typing import Final

UNSHOWN: Final[dict[str, str]] = {}
