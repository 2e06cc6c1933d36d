"""Members: tastes, homes and careers, and what their profiles say of these."""

from typing import Final

import numpy as np

from streamrec.events import MemberProfile
from streamrec.simulator.arrays import Draw, Ints, some_skills
from streamrec.simulator.companies import Companies
from streamrec.simulator.vocabulary import (
    CITIES,
    FIELDS,
    FUNCTIONS,
    LEVELS,
    OCCUPATIONS,
    PLACES,
    REGIONS,
    ROLES,
    skills_of,
    title_of,
)

_DAY_MS: Final = 86_400_000
_BUSIEST: Final = 20.0  # times as active as the median member at most: few do much
_PAY: Final = np.array([[occupation.salary * level.pay for level in LEVELS] for occupation in OCCUPATIONS])
_LEVEL_SHARES: Final = np.cumsum([0.25, 0.4, 0.25, 0.1])
FOLLOWED: Final = 2  # companies, at most


class Members:
    """Arrays with a member a row. What is marked *hidden* shows in no record, only in what the member does.

    Attributes
    ----------
    function, roles, field, level, skills
        The career: function, two roles that the member wants, a field of it, level, bits of skills.
    region, city
        The home.
    floor
        Dollars a year below which the member does not want to go.
    remote
        Whether it would work from home.
    company, followed
        Where it works; companies that it follows, -1 for none.
    taste
        *Hidden.* How much it cares for each function, ``(members, FUNCTIONS)``; sums to 1. The profile shows the first.
    openness
        *Hidden.* How readily it checks anything, in log odds.
    activity
        *Hidden.* How often it comes, beside the average member.
    """

    def __init__(self, draw: Draw, count: int, companies: Companies, now: int) -> None:
        self._draw, self._companies = draw, companies
        self.function = draw.integers(FUNCTIONS, size=count)
        self.roles = draw.integers(ROLES, size=(count, 2))
        self.field = draw.integers(FIELDS, size=count)
        self.level = np.searchsorted(_LEVEL_SHARES, draw.random(count), side="right").clip(max=len(LEVELS) - 1)
        self.skills = some_skills(draw, count)
        self.region = draw.integers(REGIONS, size=count)
        self.city = draw.integers(CITIES, size=count)
        self.remote = draw.random(count) < 0.4
        self.floor = np.round(_PAY[self.function, self.level] * draw.uniform(0.7, 1.0, count), -3)
        self.company = draw.integers(len(companies), size=count)
        follows = draw.random((count, FOLLOWED)) < (0.5, 0.25)
        self.followed = np.where(follows, draw.integers(len(companies), size=(count, FOLLOWED)), -1)
        self.updated_at = now - draw.integers(30 * _DAY_MS, size=count)
        share = draw.uniform(0.6, 0.95, size=count)
        second = (self.function + draw.integers(1, FUNCTIONS, size=count)) % FUNCTIONS
        self.taste = np.zeros((count, FUNCTIONS), np.float32)
        everyone = np.arange(count)
        self.taste[everyone, self.function] = share
        self.taste[everyone, second] = 1 - share
        self.openness = draw.normal(0, 0.25, size=count)
        self.activity = np.minimum(draw.pareto(1.5, size=count) + 0.2, _BUSIEST)
        self.activity /= self.activity.mean()
        self.ids = [f"member-{row}" for row in range(count)]

    def __len__(self) -> int:
        return len(self.ids)

    def row(self, member_id: str) -> int:
        """Row of a member.

        Raises
        ------
        KeyError
            There is no such member.
        """
        number = member_id.removeprefix("member-")
        if not number.isdecimal() or int(number) >= len(self) or self.ids[int(number)] != member_id:
            raise KeyError(member_id)
        return int(number)

    def profile(self, row: int, at: int) -> MemberProfile:
        """What the member says of itself at the time `at`."""
        function, level = int(self.function[row]), int(self.level[row])
        state, cities = PLACES[self.region[row]]
        title = title_of(function, int(self.roles[row, 0]), level, int(self.field[row]))
        company = self._companies.names[self.company[row]]
        return MemberProfile(
            member_id=self.ids[row], headline=f"{title} at {company}", company=company, city=cities[self.city[row]],
            region=state, country="US", industry=OCCUPATIONS[function].industry,
            function=OCCUPATIONS[function].function, seniority=LEVELS[level].name,
            skills=skills_of(function, int(self.skills[row])),
            desired_titles=tuple(dict.fromkeys((
                title, title_of(function, int(self.roles[row, 1]), level, -1)))),
            open_to_remote=bool(self.remote[row]), salary_floor=float(self.floor[row]), currency="USD",
            followed_companies=tuple(dict.fromkeys(
                self._companies.names[company] for company in self.followed[row] if company >= 0)),
            updated_at=at,
        )  # fmt: skip

    def promote(self, rows: Ints) -> None:
        """The next level, at another company, for more money."""
        self.level[rows] = np.minimum(self.level[rows] + 1, len(LEVELS) - 1)
        self.company[rows] = self._draw.integers(len(self._companies), size=len(rows))
        pay = _PAY[self.function[rows], self.level[rows]]
        self.floor[rows] = np.round(pay * self._draw.uniform(0.7, 1.0, len(rows)), -3)

    def move(self, rows: Ints) -> None:
        """Another region."""
        self.region[rows] = (self.region[rows] + self._draw.integers(1, REGIONS, size=len(rows))) % REGIONS
        self.city[rows] = self._draw.integers(CITIES, size=len(rows))

    def turn(self, rows: Ints) -> None:
        """Half of the taste goes to another function; the profile does not show it."""
        self.taste[rows] *= 0.5
        turned = (self.function[rows] + self._draw.integers(1, FUNCTIONS, size=len(rows))) % FUNCTIONS
        self.taste[rows, turned] += 0.5

    def change_career(self, rows: Ints) -> None:
        """What the member cares for most becomes its function, and shows in its profile, at a level it had before."""
        self.function[rows] = self.taste[rows].argmax(axis=1)
        self.roles[rows] = self._draw.integers(ROLES, size=(len(rows), 2))
        self.field[rows] = self._draw.integers(FIELDS, size=len(rows))
        self.skills[rows] = some_skills(self._draw, len(rows))
        self.floor[rows] = np.round(_PAY[self.function[rows], self.level[rows]] * 0.7, -3)
