"""Words of a title."""

import re
import unicodedata
from functools import lru_cache
from typing import Final

# "c++", "c#" and "f#" are words of job titles.
_WORD: Final = re.compile(r"[^\W_]+(?:\+\+|#)?")
_STOP: Final = frozenset({
    "an", "and", "as", "at", "by", "de", "der", "die", "du", "en", "et", "for", "from", "in", "la", "le", "of", "on",
    "or", "per", "the", "to", "und", "with",
})  # fmt: skip


@lru_cache(maxsize=1 << 14)
def tokens(text: str) -> tuple[str, ...]:
    """Distinct words of `text` in their order: casefolded, without single characters and a few stop words.

    Examples
    --------
    >>> tokens("Senior C++ / C# Engineer (m/f) for the Back-End, senior")
    ('senior', 'c++', 'c#', 'engineer', 'back', 'end')
    """
    words = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    return tuple(dict.fromkeys(word for word in words if len(word) > 1 and word not in _STOP))
