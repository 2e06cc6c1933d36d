"""The words of all titles: which job has which word, and how much a word says."""

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from streamrec.features.columns import Floats, Ints, Rows

WORDS: Final = 16  # of a title are kept; code 0 fills the rest


class Titles:
    """Inverted index of titles, by row of the table of jobs.

    Attributes
    ----------
    words
        int32 ``(capacity, WORDS)``: codes of the words of each title, filled up with 0. Row -1 is empty.
    count
        Number of titles.
    """

    def __init__(self, capacity: int) -> None:
        self.words: Ints = np.zeros((max(2, capacity), WORDS), np.int32)
        self._root: npt.NDArray[np.float32] = np.ones(max(2, capacity), np.float32)  # 1 / sqrt(number of words)
        self.count = 0
        self._titled: set[int] = set()
        self._codes: dict[str, int] = {}
        self._holders: list[npt.NDArray[np.int32]] = [np.zeros(0, np.int32)]  # by code: rows with that word, with room
        self._sizes: list[int] = [0]
        # Titles that have the word; infinite for the filler, so that it says nothing.
        self._frequency: Floats = np.full(1024, np.inf)
        self._idf: npt.NDArray[np.float32] | None = None  # of all codes, and its square: until the next title
        self._says: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        """Number of codes, that of the filler included."""
        return len(self._sizes)

    def hold(self, rows: int) -> None:
        """Make room for `rows` rows and the empty one."""
        used = len(self.words)
        if rows >= used:
            capacity = max(2 * used, rows + 1)
            words, root = np.zeros((capacity, WORDS), np.int32), np.ones(capacity, np.float32)
            words[:used], root[:used] = self.words, self._root
            self.words, self._root = words, root

    def codes_of(self, words: Iterable[str]) -> list[int]:
        """Codes of those `words` that some title had."""
        return [code for word in words if (code := self._codes.get(word))]

    def idf(self, codes: Ints | slice) -> npt.NDArray[np.float32]:
        """How much each word says: ``log(1 + titles / titles with the word)``; 0 for the filler."""
        if self._idf is None:
            self._idf = np.log1p((self.count / self._frequency[: len(self)]).astype(np.float32))
        return self._idf[codes]

    @property
    def says(self) -> npt.NDArray[np.float32]:
        """The square of `idf` of every code: float32 ``(len(self),)``."""
        if self._says is None:
            self._says = self.idf(slice(None)) ** 2
        return self._says

    def put(self, row: int, words: tuple[str, ...] | None) -> None:
        """Set the words of the title of `row` (None: the job has no title any more)."""
        if (words is not None) != (row in self._titled):
            self._idf = self._says = None
            self.count += 1 if words is not None else -1
            (self._titled.add if words is not None else self._titled.discard)(row)
        codes = [self._code(word) for word in (words or ())[:WORDS]]
        before = [code for code in self.words[row].tolist() if code]
        if codes == before:
            return
        self._idf = self._says = None
        for code in set(before).difference(codes):
            self._drop(code, row)
        for code in set(codes).difference(before):
            self._add(code, row)
        self.words[row] = codes + [0] * (WORDS - len(codes))
        self._root[row] = max(1, len(codes)) ** -0.5

    def overlap(self, weights: Mapping[int, float], rows: int) -> Floats:
        """Overlap of the first `rows` titles with weighted words.

        Returns
        -------
        ndarray
            float64 ``(rows,)``: the sum of ``weight * idf ** 2`` over the words of the title, divided by the root of
            the number of its words.
        """
        codes = [code for code in weights if self._sizes[code]]
        if not codes:
            return np.zeros(rows)
        sizes = [self._sizes[code] for code in codes]
        idf = self.idf(np.array(codes, np.int32)).astype(np.float64)
        amounts = np.array([weights[code] for code in codes]) * idf * idf
        holders = np.concatenate([self._holders[code][:size] for code, size in zip(codes, sizes, strict=True)])
        sums = np.bincount(holders, weights=np.repeat(amounts, sizes), minlength=rows)
        return np.multiply(sums, self._root[:rows], dtype=np.float64)

    def _code(self, word: str) -> int:
        code = self._codes.get(word)
        if code is None:
            code = self._codes[word] = len(self._sizes)
            self._holders.append(np.zeros(2, np.int32))
            self._sizes.append(0)
            if code == len(self._frequency):
                self._frequency = np.concatenate([self._frequency, np.full(code, np.inf)])
        return code

    def _add(self, code: int, row: int) -> None:
        size, holders = self._sizes[code], self._holders[code]
        if size == len(holders):
            holders = self._holders[code] = np.concatenate([holders, np.zeros(size, np.int32)])
        holders[size] = row
        self._sizes[code] = size + 1
        self._frequency[code] = size + 1

    def _drop(self, code: int, row: int) -> None:
        size = self._sizes[code]
        holders: Rows = self._holders[code][:size]
        kept = holders[holders != row]
        self._holders[code] = kept if len(kept) else np.zeros(2, np.int32)
        self._sizes[code] = len(kept)
        self._frequency[code] = len(kept) or np.inf
