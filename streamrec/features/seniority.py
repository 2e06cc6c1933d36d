"""Steps of a career, from the words that postings and profiles use for them."""

import re
from typing import Final

UNKNOWN: Final = -1

_LADDER: Final = (
    ("intern", "internship", "trainee", "apprentice", "student", "working student"),
    ("entry", "entry level", "junior", "graduate", "assistant"),
    ("associate", "mid", "mid level", "intermediate", "professional", "experienced", "regular"),
    ("senior", "mid senior level", "mid senior"),
    ("lead", "staff", "principal", "expert", "manager", "supervisor"),
    ("director", "head"),
    ("executive", "vp", "vice president", "c level", "chief", "partner", "owner"),
)
_STEPS: Final = {word: step for step, words in enumerate(_LADDER) for word in words}


def level_of(text: str | None) -> int:
    """Step of a seniority, from 0 (intern) to 6 (executive); `UNKNOWN` for None and for words that say nothing.

    Examples
    --------
    >>> level_of("Mid-Senior level"), level_of("Junior"), level_of("wizard"), level_of(None)
    (3, 1, -1, -1)
    """
    if not text:
        return UNKNOWN
    words = re.sub(r"[\W_]+", " ", text.casefold()).strip()
    return _STEPS.get(words, _STEPS.get(words.removesuffix(" level"), UNKNOWN))
