"""From Kafka to state: the worker."""

from typing import Final

from ops.dashboards.panels import Panel, Query, Row, Screen, above, quantiles, rate

_NO_TROUBLE: Final = "nothing of that kind has happened"

FLOW: Final = Row("Is data flowing?", (
    Panel(
        title="Records folded", unit="ops", stacked=True,
        says="Records a second by topic; what the agents tell each other (…-activity) is many records an event.",
        queries=(rate("streamrec_events_processed_total", "topic"),),
    ),
    Panel(
        title="Lag by partition", unit="short", limits=above(10_000, 100_000),
        says="Records not in the state yet. One partition alone: a hot key, or a batch that is held up.",
        queries=(Query("sum by (topic, partition) (streamrec_lag_records) > 0", "{{topic}}/{{partition}}",
                       "everything has been read"),),
    ),
    Panel(
        title="Position", unit="ops",
        says="How fast the committed positions move, by topic. Zero with a lag: nothing gets through.",
        queries=(Query("sum by (topic) (deriv(streamrec_position_offset[$__rate_interval]))", "{{topic}}"),),
    ),
))  # fmt: skip

DELAY: Final = Row("Where is the delay?", (
    Panel(
        title="From event to state, by topic", unit="s", limits=above(2, 10),
        says="99th percentile from Kafka's timestamp to the committed transaction.",
        queries=quantiles("streamrec_event_to_state_seconds", "topic", shares=(0.99,)),
    ),
    Panel(
        title="From event to answer, by partition", unit="s", limits=above(2, 10),
        says="99th percentile of the probe's. One partition alone: the worker that has it, or what that waits for.",
        queries=quantiles("streamrec_probe_seconds", "partition", shares=(0.99,)),
    ),
    Panel(
        title="Probes, by result", unit="ops", stacked=True,
        says="fresh: an answer showed the event. late: none did in time. no_answer: the lookup, or Redis for it. "
        "not_produced: Kafka. no_jobs: no job is open, so that nothing can be shown.",
        queries=(rate("streamrec_probes_total", "result"),),
    ),
    Panel(
        title="Time in each stage", unit="percentunit", stacked=True, limits=above(0.7, 0.9),
        says="Share of a core that each stage of the batches takes, waiting included. Produce waits for Kafka, read and commit "
        "for Redis, the rest is the CPU's.",
        queries=(Query("sum by (stage) (rate(streamrec_batch_stage_seconds_sum[$__rate_interval]))", "{{stage}}"),),
    ),
    Panel(
        title="Slowest batches, by stage", unit="s", limits=above(0.5, 2), says="99th percentile of one stage of a batch.",
        queries=quantiles("streamrec_batch_stage_seconds", "stage", shares=(0.99,)),
    ),
    Panel(
        title="Records in a batch", unit="short",
        says="Large batches mean that it catches up; batches of one that it has time to spare.",
        queries=quantiles("streamrec_batch_records", shares=(0.5, 0.99)),
    ),
    Panel(
        title="Batches held up", unit="ops", limits=above(0.01, 0.1),
        says="Batches tried again, by what they waited for: the store, Kafka, or a schema.",
        queries=(rate("streamrec_batches_held_up_total", "topic, reason", quiet=_NO_TROUBLE),
                 rate("streamrec_batches_held_by_registry_total", "topic", legend="{{topic}}, registry", quiet=_NO_TROUBLE)),
    ),
    Panel(
        title="Schemas asked of the registry", unit="ops", says="By result; only with a schema registry.",
        queries=(rate("streamrec_registry_lookups_total", "result", quiet="there is no registry"),),
    ),
))  # fmt: skip

REJECTED: Final = Row("What is rejected, and why?", (
    Panel(
        title="Dead letters", unit="ops", stacked=True, limits=above(0.1, 1),
        says="Records that could not be used. `streamrec dead-letters stats` and `show` have them; `redrive` sends them again.",
        queries=(rate("streamrec_events_rejected_total", "topic, reason", quiet=_NO_TROUBLE),),
    ),
    Panel(
        title="Dropped on purpose", unit="ops",
        says="Duplicates by event_id, records below the position (applied before), events of erased members; and what is "
        "forgotten since nothing has happened to it for long (`member_kept_days`, `job_kept_days`).",
        queries=(rate("streamrec_events_duplicate_total", "topic", legend="duplicate, {{topic}}", quiet=_NO_TROUBLE),
                 rate("streamrec_events_skipped_total", "topic", legend="applied before, {{topic}}", quiet=_NO_TROUBLE),
                 rate("streamrec_events_erased_total", "topic", legend="erased member, {{topic}}", quiet=_NO_TROUBLE),
                 rate("streamrec_forgotten_total", "kind", legend="forgotten {{kind}}", quiet=_NO_TROUBLE)),
    ),
    Panel(
        title="Redriven", unit="ops", says="Dead letters sent again, by what became of them.",
        queries=(rate("streamrec_redriven_records_total", "outcome", quiet=_NO_TROUBLE),),
    ),
    Panel(
        title="Clocks ahead", unit="s", limits=above(60, 600),
        says="How far accepted events lay in the future: producers' clocks.",
        queries=quantiles("streamrec_event_ahead_seconds", "topic", shares=(0.99,), quiet=_NO_TROUBLE),
    ),
    Panel(
        title="Members erased", unit="ops", width=16, says="By a tombstone on member-profiles.",
        queries=(rate("streamrec_members_erased_total", legend="members"),),
    ),
))  # fmt: skip

LABELS: Final = Row("From impressions to labels", (
    Panel(
        title="Impressions that wait for their window to close", unit="short", limits=above(100_000, 1_000_000),
        says="They close an hour or so after they were shown, by event time. Only growing: see the next panel.",
        queries=(Query("sum(streamrec_impressions_pending)", "impressions"),),
    ),
    Panel(
        title="Event time behind the clock", unit="s", limits=above(60, 600),
        says="The slowest input of a partition holds its windows open; +Inf while nothing is known of it.",
        queries=(Query("max(streamrec_watermark_lag_seconds)", "slowest partition"),),
    ),
    Panel(
        title="Labels", unit="ops", stacked=True, says="Training examples made, by kind, and rows taken back by late checks.",
        queries=(rate("streamrec_labels_total", "kind"),
                 rate("streamrec_label_corrections_total", legend="corrections"),
                 rate("streamrec_labels_held_total", legend="held for their impression")),
    ),
    Panel(
        title="Impressions that teach nothing", unit="ops", limits=above(0.1, 1), width=24,
        says="Duplicates, and impressions left before they were closed, by reason.",
        queries=(rate("streamrec_impressions_duplicate_total", legend="duplicate"),
                 rate("streamrec_impressions_unlearned_total", "reason", quiet=_NO_TROUBLE)),
    ),
))  # fmt: skip

CLIENTS: Final = Row("Kafka, and who owns what", (
    Panel(
        title="Until Kafka acknowledges", unit="s", limits=above(0.5, 2), says="Whole batches of derived records and events.",
        queries=quantiles("streamrec_kafka_produce_seconds", "job"),
    ),
    Panel(
        title="Records produced", unit="ops", says="By process and result.",
        queries=(rate("streamrec_kafka_produced_records_total", "job, result"),),
    ),
    Panel(
        title="Trouble with Kafka's connections", unit="ops", limits=above(0.01, 1),
        says="Errors of the producers' connections. Steady: `streamrec doctor` says what it is.",
        queries=(rate("streamrec_kafka_client_errors_total", "job"),),
    ),
    Panel(
        title="Partitions assigned", unit="short",
        says="By process. They should be about equal, and their sum never fall for longer than a restart takes.",
        queries=(Query('sum by (job, instance) (streamrec_assigned_partitions{job!="lookup"})', "{{job}} {{instance}}"),),
    ),
    Panel(
        title="Assignments", unit="short", limits=above(3, 10), says="In ten minutes: each stops the flow for a moment.",
        queries=(Query("sum by (job) (increase(streamrec_assignments_total[10m]))", "{{job}}"),),
    ),
    Panel(
        title="Started again in place", unit="short", limits=above(1, 3),
        says="In an hour: store_set_back means that Redis lost data, or came back with older data; it is made good from the log.",
        queries=(Query("sum by (role, reason) (increase(streamrec_begun_anew_total[1h]))", "{{role}}: {{reason}}"),),
    ),
    Panel(
        title="Fenced transactions", unit="ops", limits=above(0.01, 1),
        says="A process wrote after another had taken its slot, and was refused: right after a restart that is as it should be.",
        queries=(rate("streamrec_fenced_total", legend="fenced"),),
    ),
    Panel(
        title="CPU", unit="percentunit", limits=above(0.8, 0.95), most=1.0,
        says="Of one core, by process; a worker that takes a whole one needs a second worker beside it.",
        queries=(Query('rate(process_cpu_seconds_total{job!="prometheus"}[$__rate_interval])', "{{job}} {{instance}}"),),
    ),
    Panel(
        title="Memory", unit="bytes", limits=above(2e9, 8e9), says="Resident memory by process; most of it is the table of jobs.",
        queries=(Query('process_resident_memory_bytes{job!="prometheus"}', "{{job}} {{instance}}"),),
    ),
    Panel(
        title="Open files", unit="percentunit", limits=above(0.5, 0.8), says="Share of what the process may open.",
        queries=(Query('process_open_fds{job!="prometheus"} / process_max_fds', "{{job}} {{instance}}"),),
    ),
))  # fmt: skip

INGEST: Final = Screen(
    "streamrec-ingest", "Ingest",
    (
        ("Is data flowing?", "Records are folded, and no partition keeps a lag."),
        ("Where is the delay?", "The stage that has grown: produce is Kafka, read and commit are Redis, the rest is the CPU."),
        ("What is rejected, and why?", "Dead letters, by topic and reason."),
        ("Do impressions become labels?", "Event time is close to the clock, and labels of every kind are made."),
        ("What changed?", "Purple marks are deployments and restarts; Assignments follow them."),
    ),
    (FLOW, DELAY, REJECTED, LABELS, CLIENTS),
)  # fmt: skip
