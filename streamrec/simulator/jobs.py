"""Jobs: what is offered, by whom, where, for how much; and until when."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from streamrec.events import JobPosting
from streamrec.simulator.arrays import Draw, Flags, Ints, some_skills, weighted
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

LIFE_MS: Final = 60 * 86_400_000  # a posting expires after so long
NEVER: Final = np.iinfo(np.int64).max
_LEVEL_SHARES: Final = np.cumsum([0.3, 0.35, 0.25, 0.1])
_SALARIES: Final = np.array([occupation.salary for occupation in OCCUPATIONS], float)
_PAYS: Final = np.array([level.pay for level in LEVELS])
_KINDS: Final[dict[str, Any]] = {
    "company": np.int32, "function": np.int8, "role": np.int8, "field": np.int8, "level": np.int8, "region": np.int8,
    "city": np.int8, "remote": np.bool_, "part_time": np.bool_, "skills": np.uint8, "salary": np.float64,
    "appeal": np.float64, "posted_at": np.int64, "closes_at": np.int64,
}  # fmt: skip


class Jobs:
    """Columns with a job a row, in the order in which they were opened.

    Attributes
    ----------
    company, function, role, field, level, region, city, remote, skills
        What the posting says; `field` is -1 for none.
    salary
        The middle of what it offers, dollars a year.
    appeal
        *Hidden.* How attractive it is to everybody, in log odds: pictures, wording, reputation.
    posted_at, closes_at
        When it was posted (ms); from when nobody can check it any more: filled, withdrawn or expired.
    """

    company: Ints
    function: Ints
    role: Ints
    field: Ints
    level: Ints
    region: Ints
    city: Ints
    remote: Flags
    part_time: Flags
    skills: Ints
    salary: Any
    appeal: Any
    posted_at: Ints
    closes_at: Ints

    def __init__(self, draw: Draw, companies: Companies, spread: float) -> None:
        self._draw, self._companies, self._spread = draw, companies, spread
        self._count = 0
        for name, kind in _KINDS.items():
            setattr(self, name, np.zeros(1024, kind))
        self.ids: list[str] = []

    def __len__(self) -> int:
        return self._count

    def row(self, job_id: str) -> int:
        """Row of a job.

        Raises
        ------
        KeyError
            There is no such job.
        """
        number = job_id.removeprefix("job-")
        if not number.isdecimal() or int(number) >= len(self) or self.ids[int(number)] != job_id:
            raise KeyError(job_id)
        return int(number)

    def rows(self, job_ids: list[str]) -> Ints:
        """Rows of jobs, int64; -1 for one that is not of this site."""
        found = []
        for job_id in job_ids:
            try:
                found.append(self.row(job_id))
            except KeyError:
                found.append(-1)
        return np.array(found, np.int64)

    def open(self, posted_at: Ints) -> Ints:
        """Open a job at each of these times (ms); answers their rows."""
        count, draw = len(posted_at), self._draw
        first = self._count
        self._reserve(first + count)
        rows = np.arange(first, first + count)
        company = weighted(draw, self._companies.size, count)
        own_trade, at_home = draw.random(count) < 0.6, draw.random(count) < 0.6
        function = np.where(own_trade, self._companies.trade[company], draw.integers(FUNCTIONS, size=count))
        level = np.searchsorted(_LEVEL_SHARES, draw.random(count), side="right").clip(max=len(LEVELS) - 1)
        salary = _SALARIES[function] * _PAYS[level] * self._companies.pay[company] * draw.uniform(0.85, 1.15, count)
        values = {
            "company": company, "function": function, "level": level, "salary": np.round(salary, -3),
            "role": draw.integers(ROLES, size=count),
            "field": np.where(draw.random(count) < 0.7, draw.integers(FIELDS, size=count), -1),
            "region": np.where(at_home, self._companies.home[company], draw.integers(REGIONS, size=count)),
            "city": draw.integers(CITIES, size=count), "remote": draw.random(count) < 0.2,
            "part_time": draw.random(count) < 0.15, "skills": some_skills(draw, count),
            "appeal": draw.normal(0, self._spread, size=count), "posted_at": posted_at,
            "closes_at": posted_at + LIFE_MS,
        }  # fmt: skip
        for name, value in values.items():
            getattr(self, name)[rows] = value
        self.ids += [f"job-{row}" for row in rows.tolist()]
        self._count += count
        return rows

    def _reserve(self, count: int) -> None:
        if count <= len(self.company):
            return
        for name, kind in _KINDS.items():
            grown = np.zeros(max(count, 2 * self._count), kind)
            grown[: self._count] = getattr(self, name)[: self._count]
            setattr(self, name, grown)

    def posting(self, row: int, shown: Callable[[int], int], *, closed: bool = False) -> JobPosting:
        """What is published of a job; `shown` says how a time is written."""
        function, level = int(self.function[row]), int(self.level[row])
        occupation, (state, cities) = OCCUPATIONS[function], PLACES[self.region[row]]
        company, city = self._companies.names[self.company[row]], cities[self.city[row]]
        title = title_of(function, int(self.role[row]), level, int(self.field[row]))
        skills, salary = skills_of(function, int(self.skills[row])), float(self.salary[row])
        posted_at = int(self.posted_at[row])
        return JobPosting(
            job_id=self.ids[row], title=title, company=company,
            description=f"{company} is looking for a {title} in {city}. You bring {', '.join(skills)}.", city=city,
            region=state, country="US", industry=occupation.industry, function=occupation.function,
            seniority=LEVELS[level].name, employment_type="part-time" if self.part_time[row] else "full-time",
            remote=bool(self.remote[row]), skills=skills, salary_min=round(salary * 0.9, -2),
            salary_max=round(salary * 1.1, -2), currency="USD", posted_at=shown(posted_at), expires_at=shown(posted_at + LIFE_MS),
            closed=closed,
        )  # fmt: skip
