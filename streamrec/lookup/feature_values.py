"""``POST /v1/features/values``: what the model would read of members and jobs now."""

import asyncio
import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Annotated, Final, Literal

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Meta

from streamrec.features.catalogue import UnknownFeatureError
from streamrec.features.language import Feature
from streamrec.features.library import PLAN
from streamrec.features.reader import Reader
from streamrec.features.reading import Reading
from streamrec.features.state import MemberState
from streamrec.features.table import JobTable
from streamrec.features.view import MemberView
from streamrec.lookup import problems
from streamrec.lookup.features import explain
from streamrec.lookup.jobs import find as find_job
from streamrec.lookup.operation import Call, Id
from streamrec.lookup.problems import FieldError, Problem
from streamrec.lookup.requests import invalid_body
from streamrec.lookup.service import Service
from streamrec.metrics import DEGRADED
from streamrec.ranking.catalogue import catalogue
from streamrec.stores.inputs import Inputs
from streamrec.stores.members import UNREADABLE_STATE

MOST_ENTITIES: Final = 100
MOST_FEATURES: Final = 100
_AT_A_TIME: Final = 16  # members that are read from the store

Name = Annotated[str, Meta(min_length=1, max_length=80)]


class FeatureEntity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A member, a job, or a member beside a job."""

    member_id: Id | None = None
    job_id: Id | None = None


class ValuesRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which features of what."""

    entities: Annotated[
        tuple[FeatureEntity, ...],
        Meta(min_length=1, max_length=MOST_ENTITIES, description="The answer has the same order."),
    ]
    features: Annotated[
        tuple[Name, ...],
        Meta(
            max_length=MOST_FEATURES,
            description="Names, or `name@version`. Default all that `model` reads, in its order.",
        ),
    ] = ()
    model: Annotated[Name, Meta(description="Whose features are meant where none are named.")] = "job_check"
    surface: Annotated[
        Annotated[str, Meta(min_length=1, max_length=200)] | None,
        Meta(description="Where the member looks, for features about the request."),
    ] = None


class EntityValues(msgspec.Struct, frozen=True):
    """Of one entity, by the name of the column: a feature's own or, of a category, `name=value` or `name#number`."""

    member_id: str | None
    job_id: str | None
    values: Annotated[
        dict[str, float | None],
        Meta(description="null where something is missing that the value needs: see `defaults` and `needs`."),
    ]
    defaults: Annotated[dict[str, float], Meta(description="What the model reads in place of a value that is missing.")]
    needs: Annotated[
        dict[str, Literal["member_id", "job_id", "member_id and job_id"]],
        Meta(description="What the entity does not name, and the value cannot be read without."),
    ]


class Values(msgspec.Struct, frozen=True):
    """One entry for each of `entities`, in the order given."""

    request_id: str
    at: Annotated[int, Meta(description="The moment that the values are of, ms since the epoch.")]
    features: Annotated[tuple[str, ...], Meta(description="Ids of the features that were read, in order.")]
    feature_set: Annotated[str | None, Meta(description="The model's set, where no features were named.")]
    items: tuple[EntityValues, ...]
    degraded: Annotated[str | None, Meta(description="null, or why the values may be old.")]


async def values(service: Service, call: Call) -> Values:
    """Answer with the values of the features that the model would read now."""
    body: ValuesRequest = call.body
    features, feature_set = _features(body)
    for place, entity in enumerate(body.entities):
        if entity.member_id is None and entity.job_id is None:
            raise invalid_body(f"entities[{place}]", "name a member_id, a job_id or both")
    members = await _members(service, dict.fromkeys(each.member_id for each in body.entities if each.member_id))
    _all_known(body.entities, members)
    now, table = service.clock_ms(), service.serving.table
    rows = [-1 if each.job_id is None else find_job(service, each.job_id) for each in body.entities]
    degraded = service.table_degraded()
    if degraded is not None:
        DEGRADED.labels(degraded).inc()
    reader = _reader(tuple(each.id for each in features))
    items: dict[int, EntityValues] = {}
    for member_id in dict.fromkeys(each.member_id for each in body.entities):
        places = [place for place, each in enumerate(body.entities) if each.member_id == member_id]
        view = _view(None if member_id is None else members[member_id], table, now)
        wanted = np.array([rows[place] for place in places], np.int32)
        found = reader.values(Reading(view, table, wanted, now, {"surface": body.surface}))
        for row, place in enumerate(places):
            items[place] = _of(body.entities[place], features, found[row])
        await asyncio.sleep(0)  # a hundred members take a while, and others wait for their lists
    return Values(
        call.request_id, now, tuple(each.id for each in features), feature_set,
        tuple(items[place] for place in range(len(body.entities))), degraded,
    )  # fmt: skip


@lru_cache(maxsize=64)
def _reader(ids: tuple[str, ...]) -> Reader:
    return Reader([PLAN.features[each] for each in ids])


def _features(body: ValuesRequest) -> tuple[tuple[Feature, ...], str | None]:
    """Those that were asked for, each once; and the name of the set that they are, where none were named."""
    if not body.features:
        for wanted in PLAN.sets:
            if wanted.model == body.model:
                return PLAN.members(wanted), PLAN.name_of(wanted)
        known = ", ".join(dict.fromkeys(each.model for each in PLAN.sets))
        raise invalid_body("model", f"there is no model {body.model!r}; there is {known}")
    found, unknown = {}, []
    for place, name in enumerate(body.features):
        try:
            entry = catalogue().find(name)
        except UnknownFeatureError as error:
            unknown.append(FieldError("body", f"features[{place}]", explain(error)))
            continue
        found[entry.id] = PLAN.features[entry.id]
    if unknown:
        raise Problem(problems.UNKNOWN_FEATURE, "; ".join(each.detail for each in unknown), errors=unknown)
    return tuple(found.values()), None


async def _members(service: Service, member_ids: Iterable[str]) -> dict[str, Inputs]:
    """What a ranking needs of each; a store that does not answer is a problem, since there is no value to fall back on."""
    waiting, found = list(member_ids), {}
    for start in range(0, len(waiting), _AT_A_TIME):
        some = waiting[start : start + _AT_A_TIME]
        for member_id, inputs in zip(some, await asyncio.gather(*map(service.inputs, some)), strict=True):
            if inputs.degraded == UNREADABLE_STATE:
                detail = f"what is stored of member {member_id!r} was written by another version"
                raise Problem(problems.UNREADABLE_STATE, detail)
            if inputs.degraded is not None:
                raise Problem(problems.STORE_UNAVAILABLE, "Redis did not answer in time", headers={"Retry-After": "2"})
            found[member_id] = inputs
    return found


def _all_known(entities: Sequence[FeatureEntity], members: dict[str, Inputs]) -> None:
    unknown = [
        FieldError("body", f"entities[{place}].member_id", f"nothing is known of member {each.member_id!r}")
        for place, each in enumerate(entities)
        if each.member_id is not None and not _known(members[each.member_id])
    ]
    if unknown:
        detail = "; ".join(dict.fromkeys(each.detail for each in unknown))
        raise Problem(problems.UNKNOWN_MEMBER, detail, errors=unknown)


def _known(inputs: Inputs) -> bool:
    return bool(inputs.state.last_at or inputs.state.profile is not None or inputs.network.version)


def _view(inputs: Inputs | None, table: JobTable, now: int) -> MemberView:
    if inputs is None:
        return MemberView.build(MemberState(), {}, table, now)
    return MemberView.build(inputs.state, inputs.neighbours, table, now, inputs.network)


def _of(entity: FeatureEntity, features: Iterable[Feature], row: npt.NDArray[np.float32]) -> EntityValues:
    given = {name for name in ("member", "job") if getattr(entity, f"{name}_id") is not None}
    found: dict[str, float | None] = {}
    defaults: dict[str, float] = {}
    needs: dict[str, str] = {}
    at = 0
    for feature in features:
        lacking = (feature.expression.about & {"member", "job"}) - given
        for name in feature.columns:
            value = row[at]
            at += 1
            if lacking:
                found[name] = None
                needs[name] = " and ".join(f"{each}_id" for each in sorted(lacking, reverse=True))
            elif math.isnan(value):
                found[name], defaults[name] = None, feature.default
            else:
                found[name] = float(str(value))  # the shortest number that is the same as a float32
    return EntityValues(entity.member_id, entity.job_id, found, defaults, needs)  # type: ignore[arg-type]
