"""A world whose pages are the answers of a lookup service: members see what it recommends, and act on that.

A session begins with the first page of the member's list. After a page on which it checked nothing the member turns to the
list's next page; after a check it asks for the list anew. What it examines is decided by the places alone, what it checks
by the truth. Events carry the answer's request_id and the place in its list, and what was examined is reported as seen.
"""

import math
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Final

import numpy as np

from streamrec.simulator.arrays import Ints
from streamrec.simulator.examination import chances, examined
from streamrec.simulator.lookup import Answer, Lookup
from streamrec.simulator.popularity import Popularity
from streamrec.simulator.scribe import is_deed
from streamrec.simulator.sessions import GAP_MS, Visits
from streamrec.simulator.simulation import Run, Summary
from streamrec.simulator.tally import Tally
from streamrec.simulator.tempo import Tempo
from streamrec.simulator.world import PAGE, Looks

SURFACE: Final = "home"
_STEP_S: Final = 0.05  # pages that are due within it are asked for together
_BEHIND_S: Final = 1.0
_FAILURES: Final = 50  # in a row, and the service counts as gone
_PATIENCE_S: Final = 10.0  # for so long it may also be away for a moment, as at an upgrade


class ClosedLoop:
    """One run.

    Parameters
    ----------
    run
        The world, where its records go, and when it ends.
    lookup
        Whose lists the members see.
    rate
        Events a second, about.
    connections
        Questions at a time.
    step_s
        Seconds of our time; pages that are due within them are asked for together.

    Attributes
    ----------
    tally
        Of the whole run so far: each is a new one, so that another thread may read it.
    """

    def __init__(self, run: Run, lookup: Lookup, rate: float, connections: int = 8, step_s: float = _STEP_S) -> None:
        self._run, self._lookup, self._connections, self._step_s = run, lookup, connections, step_s
        self._tempo = Tempo(run.world, rate)
        self._cursors: dict[int, str] = {}  # by session
        self._failures, self._answered_at = 0, run.clock()
        self._popularity = Popularity(run.clock)
        self.tally = Tally()

    def go(self) -> Summary:
        """Send the beginning, then go on until the run's limits are reached or somebody wants it to stop.

        Raises
        ------
        OutletError, ProduceFailedError, OSError
            Records cannot be delivered.
        ConnectionError
            The service has gone.
        """
        return self.go_on() if self._run.begin() else self._run.summary

    def go_on(self) -> Summary:
        """The same once the beginning has been sent: now, however long ago that was."""
        run, world = self._run, self._run.world
        world.clock.delay(int(run.age_s * 1000))
        self._answered_at = started = run.clock()
        began_at = world.clock.shown(world.now)
        most = run.limits.duration_ms
        until = math.inf if most is None else began_at + most
        with closing(self._lookup), ThreadPoolExecutor(self._connections, "lookup") as pool:
            while world.clock.shown(world.now) < until:
                step = int(min(GAP_MS, max(1.0, self._step_s * 1000 * world.clock.compression)))
                end = world.now + step
                world.begin_window(end)
                while len((visits := world.sessions.due(end)).slot):
                    self._show(visits, pool)
                happenings = world.end_window(end)
                self._tempo.note(sum(is_deed(record) for _, record in happenings))
                if not run.send(happenings):
                    break
                due = (world.clock.shown(end) - began_at) / 1000
                late = run.clock() - started - due
                if late > _BEHIND_S:  # what is shown must be the present: the service goes by its own clock
                    world.clock.delay(int(late * 1000))
                    began_at += int(late * 1000)
                    started += late
                if run.wait(max(0.0, -late)):
                    run.interrupted()
                    break
        return run.finish()

    def _show(self, visits: Visits, pool: ThreadPoolExecutor) -> None:
        world = self._run.world
        answers = list(pool.map(self._ask, visits.member.tolist(), visits.session.tolist(), visits.page.tolist()))
        rows = np.full((len(answers), PAGE), -1, np.int64)
        places = np.zeros((len(answers), PAGE), np.int64)
        foretold = np.full((len(answers), PAGE), np.nan)
        for place, (answer, session) in enumerate(zip(answers, visits.session.tolist(), strict=True)):
            self._cursors.pop(session, None)
            if answer is None:
                self._fail()
                continue
            self._failures, self._answered_at = 0, self._run.clock()
            if answer.next_cursor is not None:
                self._cursors[session] = answer.next_cursor
            rows[place, : len(answer.job_ids)] = world.jobs.rows(answer.job_ids[:PAGE])
            places[place, : len(answer.positions)] = answer.positions[:PAGE]
            foretold[place, : len(answer.p_check)] = [np.nan if p is None else p for p in answer.p_check[:PAGE]]
        seen = examined(world.draw, len(answers), PAGE) & (rows >= 0)
        visit, position = np.nonzero(seen)
        # Before they look: what they check sways what they would check next.
        popular = np.where([[answer is not None] for answer in answers], self._popular(visits), -1)
        expected, popular_expected = self._worth(visits, rows), self._worth(visits, popular)
        requests = [None if one is None else one.request_id for one in answers]
        checked = world.look(visits, Looks(visit, position, rows[seen], places[seen]), requests, SURFACE)
        self._popularity.note(visits.member[visit[checked]], rows[seen][checked])
        p_check = foretold[seen]
        known = ~np.isnan(p_check)
        self.tally += Tally(
            lists=sum(answer is not None for answer in answers), failed=sum(answer is None for answer in answers),
            degraded=sum(answer is not None and answer.degraded is not None for answer in answers),
            shown=int((rows >= 0).sum()), examined=len(visit), checked=int(checked.sum()),
            hits=len(np.unique(visit[checked])), foretold=float(p_check[known].sum()),
            foretold_examined=int(known.sum()), foretold_checked=int((checked & known).sum()), expected=expected,
            popular_expected=popular_expected,
        )  # fmt: skip

    def _ask(self, member: int, session: int, page: int) -> Answer | None:
        cursor = self._cursors.get(session) if page else None
        return self._lookup.ask(self._run.world.members.ids[member], PAGE, SURFACE, cursor)

    def _popular(self, visits: Visits) -> Ints:
        jobs = self._run.world.jobs
        return self._popularity.lists(
            visits.member, visits.page, jobs.closes_at[: len(jobs)], self._run.world.now, PAGE
        )

    def _worth(self, visits: Visits, rows: Ints) -> float:
        """Checks to be expected on all pages together."""
        world = self._run.world
        visit, position = np.nonzero(rows >= 0)
        truth = world.truth.probability(visits.member[visit], rows[visit, position], visits.at[visit])
        return float(chances(PAGE)[position] @ truth)

    def _fail(self) -> None:
        self._failures += 1
        away = self._run.clock() - self._answered_at
        if self._failures >= _FAILURES and away > _PATIENCE_S:
            raise ConnectionError(f"{self._lookup.url} has not answered for {away:.0f} s; is the lookup running?")


def reachable(lookup: Lookup, patience_s: float = 5.0) -> bool:
    """Whether the service answers with a list, within so many seconds."""
    deadline = time.monotonic() + patience_s
    while lookup.ask("nobody", 1, "probe", track=False) is None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True
