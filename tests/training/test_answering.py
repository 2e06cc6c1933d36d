"""Tests of streamrec.training.answering."""

import msgspec
import pytest

from streamrec.events import ImpressionSeen, JobApplication, JobPosting, JobView
from streamrec.models.rows import SAMPLED
from streamrec.settings import Settings, SettingsError
from streamrec.training.answering import Answering

START = 1_700_000_000_000
WINDOW = 1_800_000
SETTINGS = Settings(explore=0.0)


def site(settings: Settings = SETTINGS, jobs: int = 30) -> Answering:
    made = Answering(settings)
    for number in range(jobs):
        made.take(JobPosting(job_id=f"j{number}", title=f"title {number}", posted_at=START - number))
    return made


def view(member: str, job: str, at: int, request_id: str | None = None) -> JobView:
    return JobView(event_id=f"{member}{job}{at}", member_id=member, job_id=job, occurred_at=at, request_id=request_id)


def counts(made: Answering) -> dict[str, tuple[int, int]]:
    return {kind: (learned.positives, learned.negatives) for kind, learned in made.model.learned.items()}


def test_what_is_shown_and_not_checked_is_a_negative_after_the_window() -> None:
    made = site()
    shown = made.serve("r1", "ann", START, 10)
    made.take(view("ann", shown.items[3].job_id, START + 5, "r1"))
    made.pass_to(START + WINDOW - 1)
    assert counts(made) == {"positive": (1, 0)}
    made.pass_to(START + WINDOW)
    assert counts(made) == {"positive": (1, 0), "closed": (0, 9)}


def test_lists_are_made_by_the_workflow_of_the_settings() -> None:
    made = site(msgspec.structs.replace(SETTINGS, workflow="popular"))
    assert made.rank("ann", START).workflow == "popular@1"
    assert {name for item in made.serve("r1", "ann", START, 30).items for name in item.sources} <= {
        "popular_hour", "popular_days", "newest",
    }  # fmt: skip
    with pytest.raises(SettingsError, match="there is no workflow 'best'"):
        site(msgspec.structs.replace(SETTINGS, workflow="best"))


def test_only_what_was_seen_can_be_a_negative() -> None:
    made = site()
    made.serve("r1", "ann", START, 10)
    made.see(ImpressionSeen(event_id="s", member_id="ann", request_id="r1", positions=(0, 4), occurred_at=START + 1))
    made.pass_to(START + WINDOW)
    assert counts(made) == {"closed": (0, 2)}


def test_pages_go_on_where_the_one_before_ended() -> None:
    made = site()
    first = made.serve("r1", "ann", START, 10)
    before = [item.job_id for item in first.items]
    second = made.serve("r2", "ann", START + 1, 10, before=before)
    assert [item.position for item in second.items] == list(range(10, 20))
    assert not {item.job_id for item in second.items} & set(before)


def test_an_action_that_names_no_answer_and_fits_none_is_sampled() -> None:
    made = site()
    made.take(view("ann", "j3", START))
    assert made.model.learned[SAMPLED].positives == 1
    made.take(view("ann", "j4", START + 1, "unknown"))
    assert made.model.learned[SAMPLED].positives == 1


def test_applied_jobs_are_not_shown_again_and_stronger_actions_weigh_more() -> None:
    made = site()
    shown = made.serve("r1", "ann", START, 10)
    job = shown.items[0].job_id
    made.take(JobApplication(event_id="a", member_id="ann", job_id=job, occurred_at=START + 1, request_id="r1"))
    again = made.serve("r2", "ann", START + 2, 10)
    assert job not in {item.job_id for item in again.items}


@pytest.mark.parametrize("explore", [0.0, 1.0])
def test_exploration_is_the_lookups(explore: float) -> None:
    made = site(msgspec.structs.replace(SETTINGS, explore=explore))
    shown = made.serve("r1", "ann", START, 20)
    assert {item.propensity for item in shown.items} == {1.0} if explore == 0.0 else len(shown.items) == 20
    plain = site().serve("r1", "ann", START, 20)
    assert ([item.job_id for item in shown.items] == [item.job_id for item in plain.items]) == (explore == 0.0)
