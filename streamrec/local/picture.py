"""The figures of one moment of the demo, as plain lines and as the summary at its end."""

from typing import Any

import msgspec

from streamrec.local.figures import count, milliseconds, number
from streamrec.local.judgement import Judgement


class Item(msgspec.Struct, frozen=True):
    """One job of the watched list; `moved` is the number of places won since the list before, None for a new one."""

    title: str
    place: str
    p_check: float | None
    sources: str
    moved: int | None


class Watched(msgspec.Struct, frozen=True):
    """The member whose list is shown; `deeds` are its last actions, newest first."""

    member_id: str
    about: str
    deeds: tuple[str, ...]
    items: tuple[Item, ...]
    changes: int


class Picture(msgspec.Struct):
    """All figures of one moment. Rates are a second's, times seconds, and None is what is not known yet."""

    elapsed_s: float = 0.0
    sent: int = 0
    sent_rate: float = 0.0
    processed: int = 0
    processed_rate: float = 0.0
    lag: int | None = None
    rejected: int = 0
    duplicates: int = 0
    freshness_p50_s: float | None = None
    freshness_p99_s: float | None = None
    examples: int = 0
    log_loss: float | None = None
    constant_log_loss: float | None = None
    auc: float | None = None
    model_version: int | None = None
    model_age_s: float | None = None
    answered: int = 0
    degraded: int = 0
    answer_p50_s: float | None = None
    answer_p99_s: float | None = None
    first_list_s: float | None = None
    restarts: int = 0
    fed: bool = False  # the log that is replayed has come to its end
    judgement: Judgement = Judgement()


def line(picture: Picture) -> str:
    """The figures of this moment in one plain line."""
    parts = [
        f"{picture.elapsed_s:5.0f} s",
        f"sent {picture.sent} ({picture.sent_rate:.0f}/s)",
        f"processed {picture.processed} ({picture.processed_rate:.0f}/s)",
        f"lag {count(picture.lag)}",
        f"fresh p50 {milliseconds(picture.freshness_p50_s)} p99 {milliseconds(picture.freshness_p99_s)}",
        f"log loss {number(picture.log_loss)} (constant {number(picture.constant_log_loss)}) AUC {number(picture.auc)}",
        picture.judgement.words,
        f"lists {picture.answered}",
    ]
    return "  ".join(filter(None, parts))


def summary(picture: Picture) -> list[str]:
    """What the run has shown, a line for each thing."""
    first = "never came" if picture.first_list_s is None else f"{picture.first_list_s:.1f} s after the start"
    took = f"p50 {milliseconds(picture.answer_p50_s)}, p99 {milliseconds(picture.answer_p99_s)}"
    fresh = f"p50 {milliseconds(picture.freshness_p50_s)}, p99 {milliseconds(picture.freshness_p99_s)}"
    events = f"{picture.sent:,} sent, {picture.processed:,} processed, lag {count(picture.lag)}"
    dropped = f"{picture.rejected:,} rejected, {picture.duplicates:,} duplicates"
    learned = f"log loss {number(picture.log_loss)}, best constant {number(picture.constant_log_loss)}"
    return [
        f"events     {events}; {dropped}",
        f"freshness  {fresh} from the event's arrival in Kafka to its transaction in Redis",
        f"model      {learned}, AUC {number(picture.auc)}, {count(picture.examples)} examples learned",
        f"lists      {picture.answered:,} answered, {picture.degraded:,} of them degraded, {took}",
        f"first      personal list {first}",
        *(f"{name:<10} {sentence}" for name, sentence in picture.judgement.summary),
    ]


def as_json(picture: Picture) -> dict[str, Any]:
    """The summary for programs: every field of `Picture`, with the figures of its judgement among them."""
    figures: dict[str, Any] = msgspec.to_builtins(picture)
    del figures["judgement"]
    return {**figures, **picture.judgement.figures}
