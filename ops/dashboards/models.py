"""Is the model better than yesterday, and than the baseline: the trainer."""

from typing import Final

from ops.dashboards.panels import Panel, Query, Row, Screen, above, below, rate

_SHOWN: Final = "no list has been shown and closed yet"
_YESTERDAY: Final = "a day of history is needed"

BETTER: Final = Row("Better than the baseline, and than yesterday?", (
    Panel(
        title="Gain over the best constant", unit="percentunit", limits=below(0.05, 0.0),
        says="1 - log loss / log loss of the best constant over the same recent rows. Below 0 the model does harm.",
        queries=(
            Query("1 - streamrec_model_log_loss / streamrec_model_constant_log_loss", "{{data}}"),
            Query("1 - streamrec_model_log_loss offset 1d / streamrec_model_constant_log_loss offset 1d", "{{data}}, a day ago",
                  _YESTERDAY),
        ),
    ),
    Panel(
        title="AUC", unit="short", limits=below(0.65, 0.55), most=1.0,
        says="Chance that a checked job is above one that was not, test-then-learn over recent rows. 0.5 is a guess.",
        queries=(Query("streamrec_model_auc", "{{data}}"),
                 Query("streamrec_model_auc offset 1d", "{{data}}, a day ago", _YESTERDAY)),
    ),
    Panel(
        title="Calibration error", unit="percentunit", limits=above(0.05, 0.1),
        says="How far p_check is from what happened, on average. Only what is shown counts for answers.",
        queries=(Query("streamrec_model_calibration_error", "{{data}}"),),
    ),
    Panel(
        title="Log loss", unit="short", says="Of the model, and of the best constant over the same rows.",
        queries=(Query("streamrec_model_log_loss", "model, {{data}}"),
                 Query("streamrec_model_constant_log_loss", "constant, {{data}}")),
    ),
    Panel(
        title="Hit rate", unit="percentunit", most=1.0, says="Shown lists with a checked job among the first ten.",
        queries=(Query("streamrec_model_hit_rate", "all surfaces", _SHOWN),
                 Query("streamrec_model_surface_hit_rate", "{{surface}}", _SHOWN)),
    ),
    Panel(
        title="p_check is fitted on shown lists", kind="figure", unit="bool_yes_no", limits=((None, "orange"), (1, "green")),
        says="No: only sampled lists are known, so that p_check orders jobs but is no probability yet.",
        queries=(Query("max(streamrec_model_calibrated)", "calibrated"),),
    ),
))  # fmt: skip

SURFACES: Final = Row("By surface", (
    Panel(
        title="Gain over the best constant, by surface", unit="percentunit", limits=below(0.05, 0.0),
        says="A surface below zero is served by a model that does not fit it.",
        queries=(Query("1 - streamrec_model_surface_log_loss / streamrec_model_surface_constant_log_loss",
                       "{{surface}}, {{data}}"),),
    ),
    Panel(
        title="AUC by surface", unit="short", limits=below(0.65, 0.55), most=1.0, says="As above.",
        queries=(Query("streamrec_model_surface_auc", "{{surface}}, {{data}}"),),
    ),
    Panel(
        title="Calibration error by surface", unit="percentunit", limits=above(0.05, 0.1), says="As above.",
        queries=(Query("streamrec_model_surface_calibration_error", "{{surface}}, {{data}}"),),
    ),
))  # fmt: skip

LEARNING: Final = Row("Does it learn?", (
    Panel(
        title="Examples learned", unit="ops", stacked=True,
        says="Lists a second, by kind: sampled, positive, closed, correction.",
        queries=(rate("streamrec_training_examples_total", "kind"),),
    ),
    Panel(
        title="Rows by label", unit="ops", stacked=True, says="A share of positives that jumps means that labels have changed.",
        queries=(rate("streamrec_training_rows_total", "label"),),
    ),
    Panel(
        title="Learning rate", unit="short",
        says="Of the weight in the middle. It falls as the model learns; a step up is a new model.",
        queries=(Query("streamrec_model_learning_rate", "{{model}}"),),
    ),
    Panel(
        title="Age of the snapshot", kind="figure", unit="s", limits=above(60, 600),
        says="Since the newest snapshot. It grows while there is nothing to learn; with examples, the trainer cannot write.",
        queries=(Query("time() - max(streamrec_model_snapshot_timestamp_seconds)", "age"),),
    ),
    Panel(
        title="Age of the model that ranks", kind="figure", unit="s", limits=above(60, 600),
        says="In workers and lookups: larger than the snapshot's age means that they do not take it up.",
        queries=(Query('max by (job) (streamrec_scorer_age_seconds{job!="trainer"})', "{{job}}"),),
    ),
    Panel(
        title="Copies that the disk did not take", kind="figure", unit="short", limits=above(1, 10),
        says="In an hour. Redis has the snapshots; a copy spares a replay when Redis loses its data. Why: the trainer's log.",
        queries=(Query("sum(increase(streamrec_model_copies_failed_total[1h]))", "failed"),),
    ),
    Panel(
        title="Time to write a snapshot", kind="figure", unit="s", limits=above(0.5, 2), says="99th percentile.",
        queries=(Query("histogram_quantile(0.99, sum by (le) (rate(streamrec_model_snapshot_seconds_bucket[5m])))", "p99"),),
    ),
))  # fmt: skip

SOURCES: Final = Row("Which candidate sources earn their place?", (
    Panel(
        title="Recall by source", unit="percentunit", width=16, most=1.0,
        says="Of members' own choices, found without a list, the share that was a candidate of the source at that moment. A "
        "source whose line is no part of any's is a cost without a use.",
        queries=(Query("sum by (source) (rate(streamrec_choices_recalled_total[$__rate_interval])) / on () group_left "
                       "sum(rate(streamrec_choices_total[$__rate_interval]))", "{{source}}"),),
    ),
    Panel(
        title="Choices", unit="ops", says="First actions on jobs that no list had shown: what recall is measured on.",
        queries=(rate("streamrec_choices_total", legend="choices"),),
    ),
))  # fmt: skip

MODELS: Final = Screen(
    "streamrec-models", "Models",
    (
        ("Is the model better than the baseline?", "Gain over the best constant is above zero."),
        ("Is it better than yesterday?", "AUC and gain beside their lines of a day ago."),
        ("Does it learn, and is it taken up?", "Examples come, and both ages are below a minute."),
        ("Which candidate sources earn their place?", "Recall by source."),
        ("What changed?", "Purple marks are deployments and restarts; a step of the learning rate is a new model."),
    ),
    (BETTER, SURFACES, LEARNING, SOURCES),
)  # fmt: skip
