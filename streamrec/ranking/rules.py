"""The rules of what may be in a list at all, as workflows declare them. `filters.Gate` is what enforces them."""

from typing import Final

import msgspec


class Rule(msgspec.Struct, frozen=True):
    """One rule.

    Attributes
    ----------
    name, description
        As the API shows them.
    always
        Whether the API promises it of every list: no workflow may leave it out.
    """

    name: str
    description: str
    always: bool = False


OPEN: Final = Rule("open", "posted, neither closed nor expired nor removed", always=True)
NOT_APPLIED: Final = Rule("not_applied", "the member has not applied for it", always=True)
NOT_DISMISSED: Final = Rule("not_dismissed", "the member has not dismissed it", always=True)
ASKED_FOR: Final = Rule("asked_for", "it passes the filters of the request", always=True)
NOT_SEEN: Final = Rule("not_seen", "the member has not viewed, liked or saved it (setting viewed_again_after_ms)")
NOT_BLOCKED: Final = Rule("not_blocked", "its company is none that the member blocks")
ABOVE_FLOOR: Final = Rule("above_floor", "it is not known to pay less than the member's salary floor, in its currency")

# What holds where nothing else is said, which is as it was in the first versions; then all that may be declared.
RULES: Final = (OPEN, NOT_APPLIED, NOT_DISMISSED, NOT_SEEN, NOT_BLOCKED, ASKED_FOR)
DECLARABLE: Final = (*RULES, ABOVE_FLOOR)
