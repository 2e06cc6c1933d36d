"""The answers: how fast, how personal, how degraded."""

from typing import Final

from ops.dashboards.panels import NONE_IS_RED, Panel, Query, Row, Screen, above, quantiles, rate, share

_NO_TROUBLE: Final = "nothing of that kind has happened"

SPEED: Final = Row("Is it fast, and where does time go?", (
    Panel(
        title="Time to answer, by operation", unit="s", limits=above(0.1, 0.5), says="99th percentile. The objective for "
        "recommendations: 99 % within 100 ms.",
        queries=quantiles("streamrec_lookup_request_seconds", "route", where='route!~"live|ready|metrics|docs|openapi"',
                          shares=(0.99,)),
    ),
    Panel(
        title="Time in each stage of a list", unit="s", limits=above(0.05, 0.2),
        says="99th percentile. State and neighbours wait for Redis; candidates, features and order are the CPU's.",
        queries=quantiles("streamrec_lookup_stage_seconds", "stage", shares=(0.99,)),
    ),
    Panel(
        title="Redis, by operation", unit="s", limits=above(0.02, 0.1), says="99th percentile of a round trip, of all processes.",
        queries=quantiles("streamrec_store_seconds", "operation", shares=(0.99,)),
    ),
    Panel(
        title="Requests", unit="ops", stacked=True, says="By operation and status.",
        queries=(rate("streamrec_lookup_requests_total", "route, status"),),
    ),
    Panel(
        title="Failed calls of Redis", unit="ops", limits=above(0.1, 1), says="By process and operation.",
        queries=(rate("streamrec_store_errors_total", "job, operation", quiet=_NO_TROUBLE),),
    ),
    Panel(
        title="Lists made ready, and left to the lookup", unit="ops",
        says="Workers rank the lists of members who acted, as far as their share of the CPU goes.",
        queries=(rate("streamrec_lists_reranked_total", legend="made ready"),
                 rate("streamrec_lists_rerank_shed_total", legend="left")),
    ),
))  # fmt: skip

DEGRADED: Final = Row("Who is degraded?", (
    Panel(
        title="Degraded answers by reason", unit="ops", stacked=True, limits=above(0.1, 1),
        says="store_unavailable: not personal. no_model: by popularity, text and place. table_stale: closed jobs may be shown. "
        "state_lost: Redis is empty, `streamrec rebuild` restores it.",
        queries=(rate("streamrec_lookup_degraded_total", "reason", quiet=_NO_TROUBLE),),
    ),
    Panel(
        title="Share of kept lists", unit="percentunit", most=1.0,
        says="Answered from a list that was ready. A fall makes answers slower, not worse.",
        queries=(Query(share('streamrec_lookup_answers_total{ranked="cached"}', "streamrec_lookup_answers_total"),
                 "kept"),),
    ),
    Panel(
        title="Fallbacks of workflows", unit="ops", limits=above(0.1, 1), says="By the workflow that was asked, and the reason.",
        queries=(rate("streamrec_workflow_fallbacks_total", "workflow, reason", quiet=_NO_TROUBLE),),
    ),
    Panel(
        title="Answers by workflow", unit="ops", stacked=True, says="The workflow that made the list in the end.",
        queries=(rate("streamrec_lookup_workflow_answers_total", "workflow"),),
    ),
    Panel(
        title="Age of the list in an answer", unit="s", limits=above(60, 600),
        says="0 for lists ranked for the answer; a kept one is as new as the member's state, its jobs' counts are older.",
        queries=quantiles("streamrec_lookup_list_age_seconds"),
    ),
    Panel(
        title="Age of the model", kind="figure", unit="s", limits=above(60, 600), says="Of the one that ranks in the lookups.",
        queries=(Query('max(streamrec_scorer_age_seconds{job="lookup"})', "age"),),
    ),
))  # fmt: skip

LISTS: Final = Row("What are lists made of?", (
    Panel(
        title="Candidates by source", unit="short", says="Jobs of a list that the source named, on average.",
        queries=(Query("sum by (source) (rate(streamrec_lookup_candidates_sum[$__rate_interval])) / "
                       "sum by (source) (rate(streamrec_lookup_candidates_count[$__rate_interval]))", "{{source}}"),),
    ),
    Panel(
        title="Impressions sent", unit="ops", limits=above(100, 1_000_000),
        says="Records of what was shown; dropped and failed ones teach nothing.",
        queries=(rate("streamrec_lookup_impressions_total", "result"),),
    ),
    Panel(
        title="Events taken over HTTP", unit="ops", says="By topic and result.",
        queries=(rate("streamrec_lookup_events_total", "topic, result", quiet="nobody posts events"),),
    ),
    Panel(
        title="Processes", kind="figure", unit="short", width=12, limits=NONE_IS_RED, says="Lookup processes that are alive.",
        queries=(Query('sum(streamrec_processes{role="lookup"})', "processes"),),
    ),
    Panel(
        title="Since the last start", kind="figure", unit="s", width=12, says="By role: the youngest process.",
        queries=(Query("time() - max by (role) (streamrec_started_timestamp_seconds)", "{{role}}"),),
    ),
))  # fmt: skip

LOOKUP: Final = Screen(
    "streamrec-lookup", "Lookup",
    (
        ("Is it fast?", "Recommendations stay under the first dashed line."),
        ("Where is the delay?", "The stage that has grown; beside it, whether Redis is slow for everybody."),
        ("Who is degraded, and why?", "Degraded answers by reason."),
        ("What changed?", "Purple marks are deployments and restarts."),
    ),
    (SPEED, DEGRADED, LISTS),
)  # fmt: skip
