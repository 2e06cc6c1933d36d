"""``GET /v1/members/{member_id}/recommendations``: the jobs that this member will check next."""

from functools import lru_cache, partial
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from streamrec.events import is_probe
from streamrec.features.library import FEATURE_SET, READS_SURFACE
from streamrec.features.table import JobTable
from streamrec.lookup import cursor, problems
from streamrec.lookup.after import Outcome
from streamrec.lookup.choosing import WORKFLOW_DESCRIPTION, of_page
from streamrec.lookup.cursor import InvalidCursorError
from streamrec.lookup.operation import Call
from streamrec.lookup.page import Page, Picked
from streamrec.lookup.problems import FieldError, Problem
from streamrec.lookup.service import Ranked, Service
from streamrec.lookup.shown import impression
from streamrec.lookup.tokens import MAX_LENGTH as TOKEN_LENGTH
from streamrec.metrics import ANSWERS, ANSWERS_BY_WORKFLOW, DEGRADED, LIST_AGE, STATE_AGE
from streamrec.models.passed import Passed
from streamrec.models.passed import times as passed_times
from streamrec.ranking import candidates
from streamrec.ranking import ranked as ranked_lists
from streamrec.ranking.engine import BUDGET
from streamrec.ranking.filters import NO_FILTERS, Filters
from streamrec.ranking.ranked import FIRST, RankedList
from streamrec.stores.inputs import Glance, Inputs

_DEEPEST: Final = 1_000  # jobs that all pages together can show, whatever `list_size` is: a cursor must fit into a URL

_NONE_PASSED: Final = [0.0] * _DEEPEST
_LATEST_MS: Final = 253_402_300_799_999  # the end of the year 9999
_MOST_PAY: Final = 1e12

Region = Annotated[str, Meta(min_length=1, max_length=200)]


class RecommendationsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of the query."""

    limit: Annotated[int, Meta(ge=1, description="Jobs on this page, at most.", examples=[10])] = 20
    cursor: Annotated[
        str | None,
        Meta(
            description="`next_cursor` of the page before, with the same member and filters. Pages never repeat a job, and are "
            "made by the workflow of the first."
        ),
    ] = None
    surface: Annotated[
        Annotated[str, Meta(min_length=1, max_length=100)] | None,
        Meta(
            description="Where the list is shown; recorded with what was shown, so that what is learned can be told apart.",
            examples=["home"],
        ),
    ] = None
    region: Annotated[
        Region | None,
        Meta(description="Only jobs of this region (compared without regard to case).", examples=["Bavaria"]),
    ] = None
    remote: Annotated[
        bool | None,
        Meta(description="`true`: only jobs known to be remote; `false`: only others.", examples=[True]),
    ] = None
    salary_min: Annotated[
        Annotated[float, Meta(ge=0, le=_MOST_PAY)] | None,
        Meta(
            description="Only jobs known to pay as much a year at best: by `salary_max`, else `salary_min` of the posting. In "
            "whatever currency a job names, unless `currency` says which.",
            examples=[60000],
        ),
    ] = None
    currency: Annotated[
        Annotated[str, Meta(pattern="^[A-Za-z]{3}$")] | None,
        Meta(description="Only jobs that name this currency for their pay (ISO 4217).", examples=["EUR"]),
    ] = None
    not_company: Annotated[
        tuple[Region, ...],
        Meta(
            max_length=20,
            description="No jobs of this company; may be given several times. Companies that the profile blocks are left out "
            "without being named.",
        ),
    ] = ()
    workflow: Annotated[
        Annotated[str, Meta(min_length=1, max_length=80)] | None,
        Meta(description=WORKFLOW_DESCRIPTION, examples=["diverse"]),
    ] = None
    track: Annotated[
        bool,
        Meta(
            description="Whether a person will see this list. If so, what it shows is recorded (topic `impressions`, by "
            "`request_id`: a name used twice counts once), what is not checked becomes a negative example, and now and then a "
            "job from further down is tried among the first ten of the first page. Say `false` for probes and benchmarks: "
            "what nobody saw must not train the model, and the list is then purely by `score`."
        ),
    ] = True
    after: Annotated[
        Annotated[str, Meta(min_length=1, max_length=TOKEN_LENGTH)] | None,
        Meta(
            description="Token of an event from `POST /v1/events`: waits, within a budget, until the member's state holds "
            "that event; `freshness.after` says whether it does. Counts of jobs and the model may follow later."
        ),
    ] = None
    at: Annotated[
        Annotated[int, Meta(ge=0, le=_LATEST_MS)] | None,
        Meta(
            description="Rank as of this moment (ms) instead of now: what has expired and how far counts have faded go by it, "
            "while state, jobs and model are those of now. Such a list is always ranked anew, never kept and never tracked. "
            "For evaluation; refused (`no-time-travel`) unless the setting `time_travel` allows it."
        ),
    ] = None


class Item(msgspec.Struct, frozen=True):
    """One job of a list."""

    rank: Annotated[int, Meta(description="Place on this page, from 1.")]
    position: Annotated[
        int, Meta(description="Place on all pages together, from 0: what events mean by `position` and `positions`.")
    ]
    job_id: str
    score: Annotated[
        float,
        Meta(
            description="Comparable within one answer only; never rises down the list, but where a job was tried (see "
            "`track`) or moved by a re-ranker of the workflow."
        ),
    ]
    p_check: Annotated[
        float | None, Meta(description="Probability that the member checks the job if shown; null without a model.")
    ]
    title: str | None
    company: str | None
    city: str | None
    sources: Annotated[tuple[str, ...], Meta(description="Why the job was considered.", examples=[["covisited"]])]
    passed_over: Annotated[
        float,
        Meta(
            description="How often the member was shown the job before and did not check it, as far as that is known by now; a "
            "time counts half after four days, and a check clears it. By so much a workflow with `discount()` lowers the score."
        ),
    ]


class Model(msgspec.Struct, frozen=True):
    """The model that ranked the list."""

    name: str
    version: int


class Freshness(msgspec.Struct, frozen=True):
    """How old is what the answer was made from, in milliseconds."""

    state_age_ms: Annotated[
        int | None,
        Meta(description="Since the member's newest event that is in the state; null for an unknown member."),
    ]
    model_age_ms: Annotated[int | None, Meta(description="Since the model was written; null without a model.")]
    list_age_ms: Annotated[int, Meta(description="Since the list was ranked; 0 when that was now.")]
    ranked: Annotated[Ranked, Meta(description="Whether the list was kept ready or ranked for this answer.")]
    after: Annotated[
        Outcome | None, Meta(description="Whether the event of `after` is in the state; null when not asked for.")
    ]


class Recommendations(msgspec.Struct, frozen=True):
    """A page of ranked jobs."""

    request_id: str
    member_id: str
    items: tuple[Item, ...]
    next_cursor: Annotated[
        str | None, Meta(description="Give it as `cursor` for the next page; null on the last page.")
    ]
    workflow: Annotated[
        str,
        Meta(
            description="Name and version of the workflow that made the list: another than was asked for if that fell back.",
            examples=["jobs@1"],
        ),
    ]
    model: Model | None
    freshness: Freshness
    degraded: Annotated[str | None, Meta(description="null, or why the answer falls short of what it should be.")]


async def recommendations(service: Service, call: Call) -> Recommendations:
    """Answer with a page of the member's ranked jobs."""
    member_id, query, settings = call.path["member_id"], call.query, service.settings
    at = _moment(service, query.at)
    track = query.track and at is None and not is_probe(member_id)
    filters = _filters(query)
    depth = min(settings.list_size, _DEEPEST)
    workflow, named = of_page(service, query.workflow, query.cursor)
    question = _question(member_id, filters)
    shown = {} if query.cursor is None else _shown(query.cursor, question, depth, named)
    after = await _wait(service, query.after)
    keeps = filters is NO_FILTERS and at is None and workflow is service.workflow and not READS_SURFACE
    inputs = await (service.glance(member_id) if keeps else service.stored(member_id))
    now = service.clock_ms() if at is None else at
    page = Page(
        service.serving.table, inputs.state, now, viewed_again_after_ms=settings.viewed_again_after_ms,
        without_posting=service.serving.without_posting, rules=workflow.filters, shown=shown, size=query.limit, depth=depth,
        explore=workflow.explored(settings.explore) if track else 0.0, seed=call.request_id,
    )  # fmt: skip
    ranked = _kept(service, inputs, now) if keeps else None
    how: Ranked = "cached"
    picked = None if ranked is None else page.pick(ranked)
    # Few jobs of a list are kept, and some of them may have closed since: what is deeper is ranked now.
    if ranked is None or picked is None or (picked.short and ranked.cut):
        inputs = whole = await service.completed(inputs)
        ranked, how = service.rank(whole, filters, at, workflow, query.surface)
        picked = page.pick(ranked)
        # What another workflow made for want of time is not what should be served next time.
        keeps = keeps and ranked.workflow == workflow.label and ranked.degraded != BUDGET
        if keeps and inputs.state.version and service.table_degraded() is None:
            service.background.ranked(member_id, ranked_lists.pack(ranked.head(settings.cached_list_size)))
    if inputs.state.version and at is None:
        service.background.asked(member_id)
    items = tuple(_items(service.serving.table, ranked, picked, len(shown), inputs.passed, now))
    answer = Recommendations(
        request_id=call.request_id,
        member_id=member_id,
        items=items,
        next_cursor=_next_cursor(question, shown, ranked, picked, named),
        workflow=ranked.workflow or FIRST,
        model=Model(ranked.model_name, ranked.model_version) if ranked.model_version else None,
        freshness=Freshness(
            state_age_ms=max(0, now - inputs.state.last_at) if inputs.state.last_at else None,
            model_age_ms=max(0, now - ranked.model_at) if ranked.model_version else None,
            list_age_ms=max(0, now - ranked.ranked_at),
            ranked=how,
            after=after,
        ),
        degraded=inputs.degraded or service.table_degraded() or ranked.degraded,
    )
    _count(answer)
    if track and items:
        service.impressions.add(
            partial(impression, call.request_id, member_id, now, query.surface, ranked, picked, items)
        )
    return answer


def _filters(query: RecommendationsQuery) -> Filters:
    asked = Filters(
        region=query.region, remote=query.remote, salary_min=query.salary_min, currency=query.currency,
        not_company=query.not_company,
    )  # fmt: skip
    return asked if asked.active else NO_FILTERS


def _question(member_id: str, filters: Filters) -> tuple[object, ...]:
    """What a cursor belongs to. Without the newer filters it is as it was before there were any, and so are cursors."""
    newer = (filters.salary_min, filters.currency, filters.not_company)
    return (
        member_id,
        filters.region,
        filters.remote,
        *(newer if any(each not in (None, ()) for each in newer) else ()),
    )


def _moment(service: Service, at: int | None) -> int | None:
    if at is not None and not service.settings.time_travel:
        raise Problem(
            problems.NO_TIME_TRAVEL, "at: lists as of another moment are for evaluation, and the setting time_travel is off",
            errors=[FieldError("query", "at", "the setting time_travel is off")],
        )  # fmt: skip
    return at


def _shown(text: str, question: tuple[object, ...], depth: int, named: str | None) -> dict[bytes, None]:
    try:
        return cursor.decode(text, question, depth, named)
    except InvalidCursorError as error:
        raise Problem(problems.INVALID_CURSOR, str(error)) from None


async def _wait(service: Service, token: str | None) -> Outcome | None:
    if token is None:
        return None
    return await service.after.wait(service.after.read(token), service.settings.after_budget_ms)


def _kept(service: Service, inputs: Glance | Inputs, now: int) -> RankedList | None:
    """The member's kept list, if it can still be used: by the default workflow, as new as the state, by a model that is not
    too old, with features.
    """
    ranked = inputs.ranked
    if ranked is None or inputs.state.version == 0 or ranked.member_version != inputs.state.version:
        return None
    if ranked.feature_set != FEATURE_SET or (ranked.workflow or FIRST) != service.workflow.label:
        return None
    if ranked.model_version == 0 and service.workflow.model is not None and service.serving.scorer is not None:
        return None
    if (
        ranked.network_version != inputs.network.version
        and now - ranked.ranked_at > service.settings.network_max_age_ms
    ):
        return None
    if ranked.passed_version != inputs.passed.version and service.workflow.discount is not None:
        return None
    made_at = ranked.model_at if ranked.model_version else ranked.ranked_at
    return ranked if now - made_at <= service.settings.model_max_age_ms else None


def _items(table: JobTable, ranked: RankedList, picked: Picked, before: int, passed: Passed, now: int) -> list[Item]:
    counts = _NONE_PASSED
    if passed.jobs:
        counts = passed_times(passed, [ranked.job_ids[position] for position in picked.positions], now)
    job_ids, scores, p_check, sources, postings = (
        ranked.job_ids, ranked.scores, ranked.p_check, ranked.sources, table.postings,
    )  # fmt: skip
    items = []
    for place, (position, row, times) in enumerate(zip(picked.positions, picked.rows, counts, strict=False)):
        posting = postings[row]
        title, company, city = (None, None, None) if posting is None else (posting.title, posting.company, posting.city)
        items.append(
            Item(
                place + 1,
                before + place,
                job_ids[position],
                scores[position],
                p_check[position],
                title,
                company,
                city,
                _source_names(sources[position]),
                round(times, 3) if times else 0.0,
            )
        )
    return items


@lru_cache(maxsize=4096)
def _source_names(mask: int) -> tuple[str, ...]:
    return tuple(candidates.explain(mask))


def _next_cursor(
    question: tuple[object, ...], shown: dict[bytes, None], ranked: RankedList, picked: Picked, named: str | None
) -> str | None:
    if not picked.more or not picked.positions:
        return None
    hashes = [*shown, *(cursor.job_hash(ranked.job_ids[i]) for i in picked.positions)]
    return cursor.encode(question, hashes, named)


_ANSWERS: Final = {how: ANSWERS.labels(how) for how in ("cached", "now")}


_by_workflow = lru_cache(maxsize=256)(ANSWERS_BY_WORKFLOW.labels)


def _count(answer: Recommendations) -> None:
    _ANSWERS[answer.freshness.ranked].inc()
    _by_workflow(answer.workflow).inc()
    LIST_AGE.observe(answer.freshness.list_age_ms / 1000)
    if answer.degraded is not None:
        DEGRADED.labels(answer.degraded).inc()
    if answer.freshness.state_age_ms is not None:
        STATE_AGE.observe(answer.freshness.state_age_ms / 1000)
