"""Baselines by a library that others run: implicit's ALS and BM25, trained anew on a schedule, as a batch pipeline would.

What is trained is a matrix of members and jobs, each cell the number of a member's positive actions on a job. It holds
what happened until then, so a job that came later has no score until the next training. A member's own history is taken as
it is when the question comes, as the library's `recommend` does. All else is by popularity (see `baselines.Behind`).

A training takes tenths of a second and more, so it is due only when a question comes of a member with a history, something
was learned since the last one, and that one lies `every_ms` back by the time of the log. There are never more of them than
intervals in the log. Threads and seed are fixed, so that results repeat.
"""

import time
import warnings
from abc import abstractmethod
from array import array
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final

import numpy as np

from streamrec.features.windows import HOUR_MS
from streamrec.training.baselines import BASELINES, Baseline, Behind, Rows, Scores

EVERY_MS: Final = HOUR_MS
_SEED: Final = 0


class MissingPeersError(ImportError):
    """The extra ``peers`` is not installed."""

    def __init__(self) -> None:
        super().__init__("als and bm25 are those of the library implicit: pip install 'streamrec[peers]'")


class Peer(Behind):
    """A model of the library, and when to train it.

    Parameters
    ----------
    every_ms
        Least time between two trainings, by the log.

    Attributes
    ----------
    trainings, seconds
        How often it was trained, and how long that took.

    Raises
    ------
    MissingPeersError
        The library is not there.
    """

    def __init__(self, every_ms: int = EVERY_MS) -> None:
        super().__init__()
        try:
            import implicit.als  # noqa: PLC0415  (an extra)
            import implicit.nearest_neighbours  # noqa: PLC0415
            from scipy.sparse import csr_matrix  # noqa: PLC0415
            from threadpoolctl import ThreadpoolController  # noqa: PLC0415
        except ImportError:
            raise MissingPeersError from None
        self._library, self._sparse, self._threads = implicit, csr_matrix, ThreadpoolController()
        self._every_ms = every_ms
        self._numbers: dict[str, int] = {}  # of members
        self._who, self._what = array("q"), array("q")  # members and rows of all actions
        self._history: dict[str, dict[int, int]] = defaultdict(dict)  # how many, by member and row
        self._model: Any = None
        self._rows = 0  # that the model knows of, from 0
        self._trained_at = 0
        self._fresh = False  # whether anything was learned since
        self.trainings, self.seconds = 0, 0.0

    @abstractmethod
    def _trained(self, matrix: Any) -> Any:
        """A model of a sparse matrix, members x jobs."""

    @abstractmethod
    def _scored(self, history: Any) -> Scores:
        """Scores of the model's jobs by a sparse history ``(1, rows)``: above 0 where it has something to say, else 0."""

    def _own(self, member_id: str, now: int, rows: int) -> Scores:
        scores = np.zeros(rows)
        history = self._history.get(member_id)
        if history is None:
            return scores
        if self._fresh and (self._model is None or now - self._trained_at >= self._every_ms):
            self._train(now)
        known = {row: count for row, count in history.items() if row < self._rows}
        if known:
            values = np.fromiter(known.values(), np.float32, len(known))
            places = (np.zeros(len(known), np.int64), np.fromiter(known, np.int64, len(known)))
            with self._alone():
                scores[: self._rows] = self._scored(self._sparse((values, places), shape=(1, self._rows)))[:rows]
        return scores

    def learn(self, member_id: str, row: int, at: int, first: bool) -> None:
        """See `Baseline.learn`."""
        super().learn(member_id, row, at, first)
        self._who.append(self._numbers.setdefault(member_id, len(self._numbers)))
        self._what.append(row)
        history = self._history[member_id]
        history[row] = history.get(row, 0) + 1
        self._fresh = True

    def _train(self, now: int) -> None:
        began = time.perf_counter()
        who, what = np.array(self._who, np.int64), np.array(self._what, np.int64)
        self._rows = int(what.max()) + 1
        matrix = self._sparse((np.ones(len(who), np.float32), (who, what)), shape=(len(self._numbers), self._rows))
        with self._alone(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the library warns of how it calls itself
            self._model = self._trained(matrix)
        self._trained_at, self._fresh = now, False
        self.trainings += 1
        self.seconds += time.perf_counter() - began

    def _alone(self) -> AbstractContextManager[Any]:
        """Linear algebra on one thread: the library asks for it, and sums come in one order."""
        limits: AbstractContextManager[Any] = self._threads.limit(limits=1, user_api="blas")
        return limits


class Als(Peer):
    """Matrix factorisation by alternating least squares (Hu, Koren, Volinsky 2008); a member's vector is solved when asked."""

    FACTORS: Final = 64

    def _trained(self, matrix: Any) -> Any:
        model = self._library.als.AlternatingLeastSquares(
            factors=self.FACTORS, alpha=10.0, regularization=1.0, iterations=10, num_threads=1, random_state=_SEED
        )
        model.fit(matrix, show_progress=False)
        self._touched: Rows = np.unique(matrix.indices).astype(np.int64)
        return model

    def _scored(self, history: Any) -> Scores:
        vector = self._model.recalculate_user(0, history)
        found = (self._model.item_factors[self._touched] @ vector).astype(np.float64)
        scores = np.zeros(self._rows)
        scores[self._touched] = found - found.min() + 1.0  # it has something to say of all of them
        return scores


class Bm25(Peer):
    """Jobs that are like those of a member's history, by whom they share, weighed as words in texts are (BM25)."""

    NEIGHBOURS: Final = 100

    def _trained(self, matrix: Any) -> Any:
        model = self._library.nearest_neighbours.BM25Recommender(K=self.NEIGHBOURS, num_threads=1)
        model.fit(matrix, show_progress=False)
        return model

    def _scored(self, history: Any) -> Scores:
        found: Scores = (history @ self._model.similarity).toarray()[0].astype(np.float64)
        return np.maximum(found, 0.0)


PEERS: Final[dict[str, Callable[[int], Peer]]] = {"als": Als, "bm25": Bm25}


def baseline(name: str, every_ms: int = EVERY_MS) -> Baseline:
    """The baseline of that name, of `BASELINES` or `PEERS`; a peer is trained every so often.

    Raises
    ------
    MissingPeersError
        It is a peer, and the extra ``peers`` is not installed.
    """
    return PEERS[name](every_ms) if name in PEERS else BASELINES[name]()
