"""Every Prometheus series, named and documented in one place.

Names follow the Prometheus conventions: full words, base units, ``_total`` for counters. The lookup runs several worker
processes; their gauges say how they are merged (``multiprocess_mode``). A heading such as ``# Ingest (worker)`` says which
processes tell of what follows: ``ops/metrics.md`` is made of this file by ``make watch``.
"""

from bisect import bisect_left
from collections import Counter as Counted
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

_FAST: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_SLOW: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0, 600.0)

# Ingest (worker)
EVENTS = Counter("streamrec_events_processed_total", "Records folded into state.", ["topic"])
REJECTED = Counter("streamrec_events_rejected_total", "Records sent to dead-letters.", ["topic", "reason"])
REGISTRY_LOOKUPS = Counter(
    "streamrec_registry_lookups_total",
    "Schemas asked for by id: found, unknown to the registry, or it was unavailable.",
    ["result"],
)
HELD_BY_REGISTRY = Counter(
    "streamrec_batches_held_by_registry_total", "Times that a batch had to wait for a schema, by topic.", ["topic"]
)
DUPLICATES = Counter(
    "streamrec_events_duplicate_total", "Events dropped because their event_id was seen before.", ["topic"]
)
AHEAD = Histogram(
    "streamrec_event_ahead_seconds",
    "How far the times of accepted events lay in the future when they were read, of those that did: clocks of producers.",
    ["topic"], buckets=(0.1, 1.0, 10.0, 60.0, 600.0, 3_600.0, 21_600.0, 86_400.0),
)  # fmt: skip
MEMBERS_ERASED = Counter("streamrec_members_erased_total", "Members erased by a tombstone.")
ERASED = Counter(
    "streamrec_events_erased_total", "Events dropped because their member was erased after them.", ["topic"]
)
REDRIVEN = Counter(
    "streamrec_redriven_records_total",
    "Dead letters that were sent again, by what became of them: accepted, rejected or duplicate (applied before).",
    ["topic", "outcome"],
)
SKIPPED = Counter(
    "streamrec_events_skipped_total", "Records below the stored position or mark: applied before.", ["topic"]
)
FORGOTTEN = Counter(
    "streamrec_forgotten_total", "Members who never returned and jobs that are over, forgotten by a sweep.", ["kind"]
)
BATCH = Histogram(
    "streamrec_batch_records",
    "Records in one partition batch.",
    ["topic"],
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
)
HELD_UP = Counter(
    "streamrec_batches_held_up_total",
    "Times that a batch could not be finished and had to be tried again, by what it waited for: store, kafka or schema.",
    ["topic", "reason"],
)
STAGE = Histogram("streamrec_batch_stage_seconds", "Time of one stage of a batch.", ["stage"], buckets=_FAST)
FRESHNESS = Histogram(
    "streamrec_event_to_state_seconds",
    "From the record's Kafka timestamp to its committed transaction.",
    ["topic"],
    buckets=_SLOW,
)
POSITION = Gauge(
    "streamrec_position_offset", "Next offset to be read, as committed with the state.", ["topic", "partition"]
)
LAG = Gauge("streamrec_lag_records", "Records in the partition that are not in the state yet.", ["topic", "partition"])
FENCED = Counter("streamrec_fenced_total", "Transactions refused because another owner had taken the slot.", ["slot"])
RERANKED = Counter("streamrec_lists_reranked_total", "Lists ranked anew because the member acted.")
RERANK_SHED = Counter(
    "streamrec_lists_rerank_shed_total", "Lists left for the lookup because the CPU budget was used up."
)

# Labels (worker)
CHOICES = Counter(
    "streamrec_choices_total", "First actions on jobs that could have been served, and no list had shown."
)
RECALLED = Counter(
    "streamrec_choices_recalled_total", "Of those, how many were candidates of a source at that moment.", ["source"]
)
LABELS = Counter("streamrec_labels_total", "Training examples made, by kind.", ["kind"])
CORRECTIONS = Counter("streamrec_label_corrections_total", "Rows whose negative was taken back by a late check.")
IMPRESSIONS_REPEATED = Counter(
    "streamrec_impressions_duplicate_total", "Impressions dropped because their request_id was seen before."
)
IMPRESSIONS_DROPPED = Counter(
    "streamrec_impressions_unlearned_total", "Impressions left before they were closed, by reason.", ["reason"]
)
IMPRESSIONS_PENDING = Gauge(
    "streamrec_impressions_pending", "Impressions whose window has not closed yet.", ["partition"]
)
WATERMARK_LAG = Gauge(
    "streamrec_watermark_lag_seconds", "How far the event time of a partition's inputs is behind the clock.",
    ["partition"],
)  # fmt: skip
LABELS_HELD = Counter(
    "streamrec_labels_held_total",
    "Actions that wait for their impression, as that input is still being caught up with.",
)

# Features (trainer)
# Of the rows that are learned: what the model sees. Those of recent rows fade by half in a thousand rows.
FEATURE_COVERAGE = Gauge(
    "streamrec_feature_coverage_ratio", "Share of the recent rows in which the feature is not 0.", ["feature"]
)
FEATURE_MEAN = Gauge("streamrec_feature_mean", "Mean of the feature over the recent rows.", ["feature"])
FEATURE_DRIFT = Gauge(
    "streamrec_feature_drift_deviations",
    "How far the recent mean of the feature is from its mean over a hundred times as many rows, in standard deviations.",
    ["feature"],
)

# Model (trainer)
EXAMPLES = Counter("streamrec_training_examples_total", "Examples learned.", ["model", "kind"])
ROWS = Counter("streamrec_training_rows_total", "Rows (member, job) learned.", ["model", "label"])
# `data` is sampled (an action beside sampled negatives) or shown (impressions): their base rates differ.
_RUNNING: Final = ["model", "data"]
LOG_LOSS = Gauge("streamrec_model_log_loss", "Prequential log loss over the recent rows.", _RUNNING)
BASE_LOG_LOSS = Gauge(
    "streamrec_model_constant_log_loss", "Log loss of the best constant over the same rows.", _RUNNING
)
AUC = Gauge("streamrec_model_auc", "Prequential area under the ROC curve over the recent rows.", _RUNNING)
CALIBRATION_ERROR = Gauge(
    "streamrec_model_calibration_error", "Expected calibration error over the recent rows.", _RUNNING
)
HIT_RATE = Gauge(
    "streamrec_model_hit_rate", "Share of the recent closed lists with a checked job among the first ten.", ["model"]
)
# The same by surface: at most eight of them, further ones are "other".
_BY_SURFACE: Final = ["model", "data", "surface"]
SURFACE_LOG_LOSS = Gauge("streamrec_model_surface_log_loss", "Prequential log loss, by surface.", _BY_SURFACE)
SURFACE_BASE_LOG_LOSS = Gauge(
    "streamrec_model_surface_constant_log_loss", "Log loss of the best constant, by surface.", _BY_SURFACE
)
SURFACE_AUC = Gauge("streamrec_model_surface_auc", "Prequential area under the ROC curve, by surface.", _BY_SURFACE)
SURFACE_CALIBRATION_ERROR = Gauge(
    "streamrec_model_surface_calibration_error", "Expected calibration error, by surface.", _BY_SURFACE
)
SURFACE_HIT_RATE = Gauge("streamrec_model_surface_hit_rate", "Hit rate, by surface.", ["model", "surface"])
LEARNING_RATE = Gauge(
    "streamrec_model_learning_rate",
    "Learning rate of the weight in the middle: AdaGrad lowers each weight's by what it has learned.",
    ["model"],
)
CALIBRATED = Gauge(
    "streamrec_model_calibrated", "1 if p_check is fitted on shown lists, 0 if only sampled ones are known.", ["model"]
)
SNAPSHOT_TIME = Gauge(
    "streamrec_model_snapshot_timestamp_seconds", "When the model of the newest snapshot was written.", ["model"]
)
COPIES_FAILED = Counter(
    "streamrec_model_copies_failed_total", "Copies of a snapshot that could not be written to the disk.", ["model"]
)
SNAPSHOT_SECONDS = Histogram("streamrec_model_snapshot_seconds", "Time to write a snapshot.", ["model"], buckets=_FAST)

# Reading side (worker and lookup)
TABLE_JOBS = Gauge("streamrec_table_jobs", "Jobs held in the process.", ["state"], multiprocess_mode="livemax")
TABLE_LAG = Gauge(
    "streamrec_table_age_seconds",
    "Time since the table of jobs was last known to be current.",
    multiprocess_mode="livemax",
)
FALLBACKS = Counter(
    "streamrec_workflow_fallbacks_total",
    "Lists that a workflow's fallback made, by the workflow that was asked and the reason.",
    ["workflow", "reason"],
)
MODEL_AGE = Gauge(
    "streamrec_scorer_age_seconds",
    "Time since the model that ranks in this process was written; infinite without one.",
    multiprocess_mode="livemax",
)
STORE_SECONDS = Histogram(
    "streamrec_store_seconds", "Time of one round trip to the store.", ["operation"], buckets=_FAST
)
STORE_ERRORS = Counter("streamrec_store_errors_total", "Failed calls of the store.", ["operation"])
UNREADABLE = Counter("streamrec_unreadable_values_total", "Stored values that this version cannot read.", ["kind"])

# Kafka clients (worker, trainer, lookup and probe)
PRODUCE_SECONDS = Histogram(
    "streamrec_kafka_produce_seconds", "From handing records over until all of them are acknowledged.", buckets=_FAST
)
PRODUCED_RECORDS = Counter(
    "streamrec_kafka_produced_records_total",
    "Records that somebody waited for, by result: acknowledged or failed.",
    ["result"],
)
KAFKA_ERRORS = Counter(
    "streamrec_kafka_client_errors_total", "Errors of a producer's connections: lost brokers, refused logins."
)
BEGUN_ANEW = Counter(
    "streamrec_begun_anew_total",
    "Times that a process started again in place: the state was rebuilt, or store_set_back (the store lost what was in it).",
    ["role", "reason"],
)
ASSIGNMENTS = Counter("streamrec_assignments_total", "Times that the group gave this process its partitions.")
ASSIGNED = Gauge("streamrec_assigned_partitions", "Partitions that this process reads.", multiprocess_mode="livesum")

# Process (worker, trainer, lookup and probe)
STARTED = Gauge(
    "streamrec_started_timestamp_seconds",
    "When the process started, with its version: a change is a deployment or a restart.",
    ["role", "version"],
    multiprocess_mode="livemax",
)
PROCESSES = Gauge("streamrec_processes", "Processes that are alive.", ["role"], multiprocess_mode="livesum")

# Lookup (lookup)
REQUESTS = Counter("streamrec_lookup_requests_total", "HTTP requests.", ["route", "status"])
REQUEST_SECONDS = Histogram("streamrec_lookup_request_seconds", "Time to answer a request.", ["route"], buckets=_FAST)
LOOKUP_STAGE = Histogram(
    "streamrec_lookup_stage_seconds",
    "Time of one stage of a list: state and neighbours are read from the store, candidates, features and order are ranking.",
    ["stage"],
    buckets=_FAST,
)
LIST_AGE = Histogram(
    "streamrec_lookup_list_age_seconds", "Time since the list of an answer was ranked; 0 if for it.", buckets=_SLOW
)
ANSWERS = Counter("streamrec_lookup_answers_total", "Recommendations answered.", ["ranked"])
ANSWERS_BY_WORKFLOW = Counter(
    "streamrec_lookup_workflow_answers_total",
    "Recommendations answered, by the workflow that made the list.",
    ["workflow"],
)
DEGRADED = Counter("streamrec_lookup_degraded_total", "Answers that fell short, by reason.", ["reason"])
STATE_AGE = Histogram("streamrec_lookup_state_age_seconds", "Age of the member's state in an answer.", buckets=_SLOW)
CANDIDATES = Histogram(
    "streamrec_lookup_candidates",
    "Candidates from each source.",
    ["source"],
    buckets=(0, 1, 5, 10, 20, 50, 100, 200, 500),
)
IMPRESSIONS = Counter("streamrec_lookup_impressions_total", "Records of what tracked answers showed.", ["result"])
PRODUCED = Counter("streamrec_lookup_events_total", "Events taken over HTTP.", ["topic", "result"])

# Freshness of answers (probe)
PROBES = Counter(
    "streamrec_probes_total",
    "Probes, by what came of them: fresh (an answer showed the event), late (none did in time), no_answer (over HTTP, by the "
    "member's state), not_produced (to Kafka), no_jobs (the list was empty).",
    ["partition", "result"],
)
PROBE_SECONDS = Histogram(
    "streamrec_probe_seconds",
    "From an event of the probe, before it is produced, to the first answer over HTTP that shows it.",
    ["partition"],
    buckets=_SLOW,
)


def observe_all(histogram: Histogram, values: Sequence[float]) -> None:
    """`observe` of each value, by one step a bucket: of a batch of a thousand records that is a fifth of the time.

    prometheus_client has nothing of the kind, so this reaches into what it keeps; a test holds both equal.
    """
    bounds, buckets = histogram._upper_bounds, histogram._buckets
    for place, count in Counted(bisect_left(bounds, value) for value in values).items():
        buckets[place].inc(count)
    histogram._sum.inc(sum(values))


def started(role: str) -> None:
    """Note that this process has begun; called once, by each process of the role."""
    STARTED.labels(role, version("streamrec")).set_to_current_time()
    PROCESSES.labels(role).set(1)
