"""Is it healthy, is it fresh, is it good: the first screen to look at."""

from typing import Final

from ops.dashboards.panels import NEUTRAL, NONE_IS_RED, Panel, Query, Row, Screen, above, quantiles, rate, share

_ANSWERED: Final = 'streamrec_lookup_requests_total{route="recommendations"}'
_GOOD: Final = (
    'streamrec_lookup_requests_total{status="200",route=~"recommendations|rank|similar|popular|feature_values"}'
)

HEALTHY: Final = Row("Is it healthy?", (
    Panel(
        title="Processes", kind="figure", width=6, unit="short", limits=NONE_IS_RED,
        says="Processes alive, by role. Red at none: see ProcessDown in the runbook.",
        queries=(Query("sum by (role) (streamrec_processes)", "{{role}}"),),
    ),
    Panel(
        title="Events a second", kind="figure", width=6, unit="ops", more="streamrec-ingest",
        says="Events that producers sent, folded into state. None: does anybody produce? Then see Lag.",
        queries=(rate("streamrec_events_processed_total", where='topic!~".*-activity|training-examples"', legend="events"),),
    ),
    Panel(
        title="Lists a second", kind="figure", width=6, unit="ops", more="streamrec-lookup",
        says="Recommendations answered. None: applications do not ask, or do not reach the lookup.",
        queries=(Query("sum(rate(streamrec_lookup_answers_total[$__rate_interval])) or vector(0)", "lists"),),
    ),
    Panel(
        title="Requests that failed", kind="figure", width=6, unit="percentunit", limits=above(0.001, 0.01),
        more="streamrec-lookup",
        says="Share of requests for lists answered with a status of 500 or more. The objective allows one in a thousand.",
        queries=(Query(share(_ANSWERED.replace("}", ',status=~"5.."}'), _ANSWERED), "failed"),),
    ),
    Panel(
        title="Degraded answers", kind="figure", width=6, unit="percentunit", limits=above(0.01, 0.05),
        more="streamrec-lookup", says="Share of answers that fell short; Lookup has the reasons.",
        queries=(Query(share("streamrec_lookup_degraded_total", _GOOD), "degraded"),),
    ),
    Panel(
        title="Rejected events", kind="figure", width=6, unit="percentunit", limits=above(0.001, 0.01),
        more="streamrec-ingest", says="Share of records that went to dead-letters; Ingest has topic and reason.",
        queries=(Query(share("streamrec_events_rejected_total", "streamrec_events_processed_total"), "rejected"),),
    ),
    Panel(
        title="Failed calls of Redis", kind="figure", width=6, unit="ops", limits=above(0.1, 1), more="streamrec-lookup",
        says="Calls a second that failed or came too late, of all processes. Events wait then, lists are not personal.",
        queries=(rate("streamrec_store_errors_total", legend="failed"),),
    ),
    Panel(
        title="Records not acknowledged by Kafka", kind="figure", width=6, unit="ops", limits=above(0.1, 1),
        more="streamrec-ingest",
        says="Records a second that Kafka did not acknowledge in time, of all processes. Batches are tried again.",
        queries=(rate("streamrec_kafka_produced_records_total", where='result="failed"', legend="failed"),),
    ),
))  # fmt: skip

FRESH: Final = Row("Is it fresh?", (
    Panel(
        title="From event to answer", width=6, unit="s", limits=above(2, 10), more="streamrec-ingest",
        says="By the probe: from an event until an answer over HTTP shows it. It grows alone: the lookup; else see the next.",
        queries=quantiles("streamrec_probe_seconds"),
    ),
    Panel(
        title="From event to state", width=6, unit="s", limits=above(2, 10), more="streamrec-ingest",
        says="From Kafka's timestamp of an event to its committed transaction. The objective: 99 % within 2 s.",
        queries=quantiles("streamrec_event_to_state_seconds", where='topic!~".*-activity|training-examples"'),
    ),
    Panel(
        title="Lag", width=6, unit="short", limits=above(10_000, 100_000), more="streamrec-ingest",
        says="Records that Kafka holds and the state does not, by topic. It grows: more workers, or see where time goes.",
        queries=(Query("sum by (topic) (streamrec_lag_records)", "{{topic}}"),),
    ),
    Panel(
        title="Age of what answers are made of", width=6, unit="s", limits=above(60, 600), more="streamrec-lookup",
        says="Since the jobs were last known to be current, and since the model that ranks was written.",
        queries=(
            Query('max by (job) (streamrec_table_age_seconds{job!="trainer"})', "jobs, {{job}}"),
            Query('max by (job) (streamrec_scorer_age_seconds{job!="trainer"})', "model, {{job}}"),
        ),
    ),
))  # fmt: skip

GOOD: Final = Row("Is it good?", (
    Panel(
        title="Log loss beside the best constant", unit="short", more="streamrec-models",
        says="Test-then-learn, over recent rows. The model must stay under the constant of the same data.",
        queries=(
            Query("streamrec_model_log_loss", "model, {{data}}"),
            Query("streamrec_model_constant_log_loss", "best constant, {{data}}"),
        ),
    ),
    Panel(
        title="Lists with a checked job among the first ten", unit="percentunit", limits=NEUTRAL, most=1.0,
        more="streamrec-models",
        says="Hit rate of lists that were shown, and a day ago. A fall without a deployment: the site has changed.",
        queries=(
            Query("streamrec_model_hit_rate", "now", "no list has been shown and closed yet"),
            Query("streamrec_model_hit_rate offset 1d", "a day ago", "a day of history is needed"),
        ),
    ),
    Panel(
        title="Time to answer", unit="s", limits=above(0.1, 0.5), more="streamrec-lookup",
        says="Requests for lists. The objective: 99 % within 100 ms.",
        queries=quantiles("streamrec_lookup_request_seconds", where='route="recommendations"'),
    ),
))  # fmt: skip

BUDGETS: Final = Row("How fast are the budgets of the objectives used?", (
    Panel(
        title="Speed at which budgets are used", width=24, unit="short", limits=above(1, 6),
        says="1 uses up a budget of 30 days in 30 days; 14.4 within two days, and pages somebody.",
        queries=(
            Query("streamrec:freshness_late:ratio_rate1h / 0.01", "freshness, 1 h"),
            Query("streamrec:lookup_slow:ratio_rate1h / 0.01", "lookup latency, 1 h"),
            Query("streamrec:lookup_failed:ratio_rate1h / 0.001", "lookup errors, 1 h"),
        ),
    ),
))  # fmt: skip

OVERVIEW: Final = Screen(
    "streamrec-overview", "Overview",
    (
        ("Is data flowing?", "Events a second and Lists a second are above zero; Lag does not grow."),
        ("Is anything broken?", "Nothing in the first row is red. Each figure leads to the screen that says why."),
        ("Is it fresh?", "From event to answer, and to state, stay under the dashed lines."),
        ("Is it good?", "The model's log loss is under the constant's, and hits are where they were a day ago."),
        ("What changed?", "Purple marks are deployments and restarts."),
    ),
    (HEALTHY, FRESH, GOOD, BUDGETS),
)  # fmt: skip
