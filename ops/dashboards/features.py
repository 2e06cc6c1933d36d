"""What the model sees: do features say something, are they of now, have they moved."""

from typing import Final

from ops.dashboards.panels import Panel, Query, Row, Screen, above, below, quantiles, rate

_NO_TROUBLE: Final = "nothing of that kind has happened"

SAYING: Final = Row("Do they say something?", (
    Panel(
        title="Features that say nothing", kind="figure", unit="short", limits=above(1, 20),
        says="Features that were 0 in all recent rows. Right after a start, or on a site without profiles, some are.",
        queries=(Query("count(streamrec_feature_coverage_ratio < 0.0001) or vector(0)", "features"),),
    ),
    Panel(
        title="Features that fell silent since yesterday", kind="figure", width=8, unit="short", limits=above(1, 5),
        says="Said something a day ago, and nothing now: an input is gone, or a deployment broke them.",
        queries=(Query("count(streamrec_feature_coverage_ratio < 0.0001 and streamrec_feature_coverage_ratio offset 1d > 0.01)"
                       " or vector(0)", "features"),),
    ),
    Panel(
        title="Coverage in the middle", kind="figure", width=8, unit="percentunit", limits=below(0.2, 0.05),
        says="Share of recent rows in which the feature in the middle is not 0.",
        queries=(Query("quantile(0.5, streamrec_feature_coverage_ratio)", "coverage"),),
    ),
    Panel(
        title="Coverage by feature", unit="percentunit", width=12, most=1.0,
        says="Share of recent rows in which the feature is not 0. A step down is a lost input.",
        queries=(Query("streamrec_feature_coverage_ratio", "{{feature}}"),),
    ),
    Panel(
        title="Mean by feature", unit="short", width=12, says="Over the recent rows, in the feature's own unit: shapes matter.",
        queries=(Query("streamrec_feature_mean", "{{feature}}"),),
    ),
))  # fmt: skip

DRIFT: Final = Row("Have they moved?", (
    Panel(
        title="Drift, the ten largest", unit="short", width=24, limits=above(1, 3),
        says="Distance of the recent mean (half of it the last thousand rows) from the long one, in standard deviations. Hours "
        "of the day move some features by up to one.",
        queries=(Query("topk(10, streamrec_feature_drift_deviations)", "{{feature}}"),),
    ),
))  # fmt: skip

AGE: Final = Row("Are they of now?", (
    Panel(
        title="Age of the member's state in an answer", unit="s", limits=above(86_400, 604_800),
        says="Since the member's newest event: mostly how often members come, so look for a jump of the median.",
        queries=quantiles("streamrec_lookup_state_age_seconds"),
    ),
    Panel(
        title="Age of the table of jobs", unit="s", limits=above(10, 60),
        says="Since the process last knew of all changes of jobs. From ten seconds on, answers say table_stale.",
        queries=(Query('max by (job, instance) (streamrec_table_age_seconds{job!="trainer"})', "{{job}} {{instance}}"),),
    ),
    Panel(
        title="Jobs", unit="short",
        says="In the table: open ones are candidates; those without a posting are known by events alone.",
        queries=(Query("max by (state) (streamrec_table_jobs)", "{{state}}"),),
    ),
    Panel(
        title="Unreadable values", unit="ops", width=24, limits=above(0.01, 1),
        says="Stored by another version than this one can read: an upgrade in the wrong order.",
        queries=(rate("streamrec_unreadable_values_total", "kind", quiet=_NO_TROUBLE),),
    ),
))  # fmt: skip

FEATURES: Final = Screen(
    "streamrec-features", "Features",
    (
        ("Has an input been lost?", "Features that fell silent since yesterday is 0."),
        ("Has the site changed?", "No drift above three; purple marks say whether it was a deployment."),
        ("Are features of now?", "The table of jobs is younger than ten seconds."),
    ),
    (SAYING, DRIFT, AGE),
)  # fmt: skip
