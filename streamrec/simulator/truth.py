"""The truth: how likely a member checks a job that it examines.

For member m and job j at time t, P(check | examined) = logistic(z), where

    z = bias + openness(m) + appeal(j)
      + taste * how much m cares for j's function             (hidden; in part: the profile's function, and what it views)
      + role    if m wants j's role + field if of m's field   (titles and desired titles)
      + skill * share of j's skills that m has, within m's function
      + region  if in m's region + city if in m's city + remote if remote, and m would work from home
      + level * steps between j's level and m's               (titles, seniority)
      + pay   * log(j's salary / m's floor), cut at -0.5 and 0.3
      + fame  * fame of j's company at t + follows if m follows it
      + fresh * 2^(-age of j / 3 d)
      + friends * log(1 + connections of m that lately liked, saved or applied for j)
      + mind    if of the role that m viewed last in this session
      + again   if m has viewed or dismissed j lately

and 0 for a job that is closed. So it is almost logistic in what events, postings and profiles show; what a check then is,
given z, is a throw of a coin, which nobody can foretell.

That a job is *examined* is another matter, and does not depend on the job (see `examination`).
"""

from typing import Final, NamedTuple

import numpy as np

from streamrec.simulator.arrays import Floats, Ints, faded, logistic
from streamrec.simulator.companies import Companies
from streamrec.simulator.graph import Graph
from streamrec.simulator.jobs import Jobs
from streamrec.simulator.members import FOLLOWED, Members
from streamrec.simulator.memory import Memory
from streamrec.simulator.vocabulary import SKILLS

_FRESH_HALF_LIFE_MS: Final = 3 * 86_400_000
_BITS: Final = np.array([mask.bit_count() for mask in range(1 << SKILLS)], np.float64)
_CHOSEN_SKILLS: Final = 3


class Weights(NamedTuple):
    """How much each thing sways a member, in log odds; `spread` is the standard deviation of a job's appeal."""

    bias: float = -5.2
    taste: float = 3.4
    role: float = 1.3
    field: float = 0.7
    skill: float = 0.5
    region: float = 1.4
    city: float = 0.6
    remote: float = 0.7
    level: float = -0.35
    pay: float = 0.8
    fame: float = 0.2
    follows: float = 1.0
    fresh: float = 0.6
    friends: float = 0.6
    mind: float = 0.8
    again: float = -1.5
    spread: float = 0.3


class Truth:
    """Computes the above; it changes nothing and draws nothing.

    Parameters
    ----------
    members, jobs, companies, graph, memory
        The world as it is.
    weights
        See `Weights`.
    """

    def __init__(
        self, members: Members, jobs: Jobs, companies: Companies, graph: Graph, memory: Memory, weights: Weights
    ) -> None:  # fmt: skip
        self._members, self._jobs, self._companies = members, jobs, companies
        self._graph, self._memory, self._weights = graph, memory, weights

    def log_odds(self, members: Ints, rows: Ints, at: Ints | int) -> Floats:
        """The z of each member and the job beside it.

        Parameters
        ----------
        members, rows
            Rows of members and of jobs, both ``(n,)``.
        at
            When (ms of the world's time): one time, or ``(n,)``.

        Returns
        -------
        ndarray
            float64 ``(n,)``; -inf for a job that is closed.
        """
        m, j, w = self._members, self._jobs, self._weights
        function, role, company = j.function[rows], j.role[rows], j.company[rows]
        own = m.function[members] == function
        z = w.bias + m.openness[members] + j.appeal[rows] + w.taste * m.taste[members, function]
        z += w.role * (own & (m.roles[members] == role[:, None]).any(axis=1))
        z += w.field * (own & (m.field[members] == j.field[rows]))
        z += (w.skill / _CHOSEN_SKILLS) * own * _BITS[m.skills[members] & j.skills[rows]]
        here = m.region[members] == j.region[rows]
        z += w.region * here + w.city * (here & (m.city[members] == j.city[rows]))
        z += w.remote * (j.remote[rows] & m.remote[members])
        z += w.level * np.abs(j.level[rows] - m.level[members])
        z += w.pay * np.clip(np.log(j.salary[rows] / m.floor[members]), -0.5, 0.3)
        z += w.fame * self._companies.fame[company]
        for place in range(FOLLOWED):
            z += w.follows * (m.followed[members, place] == company)
        z += w.fresh * faded(at - j.posted_at[rows], _FRESH_HALF_LIFE_MS)
        z += w.friends * np.log1p(self._memory.friends(self._graph, members, rows))
        z += w.mind * self._memory.in_mind(members, function, role, at)
        z += w.again * self._memory.is_done_with(members, rows)
        z[at >= j.closes_at[rows]] = -np.inf
        return np.asarray(z)

    def probability(self, members: Ints, rows: Ints, at: Ints | int) -> Floats:
        """P(check | examined) of each member and the job beside it; parameters as for `log_odds`."""
        return logistic(self.log_odds(members, rows, at))
