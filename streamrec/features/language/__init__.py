"""The feature language: typed expressions over events, postings, profiles and requests, checked when they are declared.

In the order of use: sources (`streams`, `fields`), keys (`keys`), windows and aggregates (`aggregates`), what ties jobs to
members (`ties`), texts (`texts`), arithmetic (`calculation`), and the `feature` that it all makes.
"""

from streamrec.features.cells.window import Window, always
from streamrec.features.language.aggregates import (
    Aggregate,
    count,
    distinct,
    first,
    latest,
    least,
    mean,
    most,
    newest,
    rate,
    top,
    total,
    trend,
    variance,
)
from streamrec.features.language.calculation import (
    Calculation,
    absolute,
    bucketise,
    clip,
    first_of,
    inverse_rank,
    is_missing,
    log,
    log1p,
    mean_of,
    only_between,
    only_if,
    ratio,
    signed,
)
from streamrec.features.language.declaration import DeclarationError, Site
from streamrec.features.language.expression import Expression
from streamrec.features.language.feature import Feature, FeatureSet
from streamrec.features.language.fields import Field, context, home, posting, profile
from streamrec.features.language.keys import company, job, member, pair
from streamrec.features.language.reference import feature
from streamrec.features.language.since import minutes_since
from streamrec.features.language.streams import (
    Stream,
    above,
    actions,
    applications,
    below,
    connections,
    dismissals,
    likes,
    once,
    one_of,
    saves,
    views,
)
from streamrec.features.language.texts import contains, cross, level, one_hot, overlap, same
from streamrec.features.language.ties import (
    beside_best,
    connections_at,
    connections_that,
    cooccurrence,
    cosine,
    coverage,
    interests,
    last_cooccurrence,
    last_title,
    rank,
    resemblance,
    share,
    standing,
)
from streamrec.features.language.types import Type
from streamrec.features.language.windows import decay, last, session, sliding

__all__ = [
    "Aggregate", "Calculation", "DeclarationError", "Expression", "Feature", "FeatureSet", "Field", "Site", "Stream",
    "Type", "Window", "above", "absolute", "actions", "always", "applications", "below", "beside_best", "bucketise",
    "clip", "company", "connections", "connections_at", "connections_that", "contains", "context", "cooccurrence",
    "cosine", "count", "coverage", "cross", "decay", "dismissals", "distinct", "feature", "first", "first_of",
    "home", "interests", "inverse_rank", "is_missing", "job", "last", "last_cooccurrence", "last_title", "latest",
    "least", "level", "likes", "log", "log1p", "mean", "mean_of", "member", "minutes_since", "most", "newest",
    "once", "one_hot", "one_of", "only_between", "only_if", "overlap", "pair", "posting", "profile", "rank", "rate",
    "ratio", "resemblance", "same", "saves", "session", "share", "signed", "sliding", "standing", "top", "total",
    "trend", "variance", "views",
]  # fmt: skip
