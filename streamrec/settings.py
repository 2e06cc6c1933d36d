"""All settings, read once: defaults, then a TOML file, then the environment (``STREAMREC_…``)."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec


class SettingsError(ValueError):
    """A setting is unknown, or its value does not fit; the message names it and where it was set."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One installation. Times are in the unit that the name ends with."""

    # Where things are.
    kafka: str = "127.0.0.1:9092"  # bootstrap servers, comma separated
    redis: str = "redis://127.0.0.1:6379/0"
    namespace: str = "sr"  # prefix of every key in Redis
    group: str = "streamrec"  # prefix of the Kafka consumer groups
    partitions: int = 4  # of all member- and job-keyed topics; fixed once data is in
    data_dir: str = ".streamrec"  # disk copies of model snapshots, Faust's own files

    # Streams.
    transport: Literal["batched", "stock"] = "batched"  # "stock" is Faust message by message, for comparison
    batch_records: int = 1000  # at most, a partition
    session_timeout_s: float = 6.0
    fetch_wait_ms: int = (
        20  # the embedded broker looks for new records only when a fetch arrives; Kafka answers at once
    )
    clock_skew_ms: int = 86_400_000  # an event further in the future is a dead letter
    produce_timeout_s: float = 10.0
    drain_timeout_s: float = 10.0  # a process that is told to stop finishes what it has in hand, for at most so long

    # Schema registry: with one, the Confluent wire format is read too. Needs `pip install 'streamrec[registry]'`.
    schema_registry: str | None = None  # http(s)://host:8081, several separated by commas
    registry_user_info: str | None = None  # user:password
    registry_ca_file: str | None = None  # PEM; None: the usual authorities
    registry_certificate_file: str | None = None  # PEM, where the registry wants to see one of the client's
    registry_key_file: str | None = None
    registry_timeout_s: float = 3.0  # for one answer
    registry_patience_s: float = 10.0  # an id that the registry does not know is asked for again this long
    framing: Literal["single_object", "confluent"] = (
        "single_object"  # of what POST /v1/events, replay and simulate write
    )

    # Learning.
    negatives: int = 20  # sampled for each action
    snapshot_interval_s: float = 3.0
    label_window_s: float = 1800.0  # a job shown and not checked for this long is a negative
    label_weight_view: float = 1.0  # weights of a check in the score, by the strongest action
    label_weight_like: float = 2.0
    label_weight_save: float = 3.0
    label_weight_application: float = 5.0
    shown_kept: int = 10  # impressions of a member, waiting for actions
    forget_every_s: float = 3600.0  # stored training examples of erased members are removed as often
    idle_watermark_s: float = 5.0  # how late a record may be at an input that has been read to its end

    # Ranked lists.
    workflow: str = "jobs"  # what makes lists where a request names none: `streamrec workflows list`
    list_size: int = 200
    cached_list_size: int = 50  # jobs of a list that are kept ready, with their features; what is deeper is ranked anew
    explore: float = 0.1  # share of answers that try a job from further down near the top, see `ranking.rerank`
    viewed_again_after_ms: int | None = None  # None: a viewed job is not recommended again
    serve_without_posting: Literal["yes", "no", "auto"] = "auto"  # auto: yes while there is no posting at all
    rerank_cpu_share: float = 0.25  # of one core, for lists of members who acted
    asked_within_s: int = 1800  # lists are kept fresh for members asked for this recently
    network_max_age_ms: int = 2_000  # so old a list may be without what connections have done since
    model_max_age_ms: int = 600_000  # a list by an older model is ranked anew when asked for

    # Lookup service.
    lookup_host: str = "127.0.0.1"
    lookup_port: int = 8080
    lookup_workers: int = 1
    lookup_budget_ms: int = 200  # for reading state; beyond it the answer is degraded
    lookup_drain_s: float = 0.0  # from SIGTERM, not ready, but answering: as long as load balancers take to notice
    after_budget_ms: int = 1000  # how long `after=TOKEN` may wait
    max_body_bytes: int = 1_048_576
    max_events: int = 1000  # in one POST /v1/events
    max_rank_jobs: int = 1000  # in one POST /v1/rank
    max_limit: int = 100  # jobs a page
    time_travel: bool = False  # whether lists may be asked for as of another moment (`at`): for evaluation only

    # Metrics.
    metrics_host: str = "127.0.0.1"
    worker_metrics_port: int = 9101
    trainer_metrics_port: int = 9102

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        if self.partitions < 1:
            raise ValueError("partitions must be at least 1")
        if not 0 <= self.explore <= 1:
            raise ValueError("explore must be between 0 and 1")
        if self.drain_timeout_s <= 0 or self.lookup_drain_s < 0:
            raise ValueError("drain_timeout_s must be above 0, lookup_drain_s 0 or above")
        if self.label_window_s <= 0 or self.shown_kept < 1 or min(self.label_weights) <= 0:
            raise ValueError("label_window_s, shown_kept and the label_weight_... must be above 0")
        urls = [] if self.schema_registry is None else self.schema_registry.split(",")
        if not all(url.strip().startswith(("http://", "https://")) for url in urls):
            raise ValueError("schema_registry must start with http:// or https://")
        if self.registry_user_info is not None and ":" not in self.registry_user_info:
            raise ValueError("registry_user_info must be user:password")
        if self.registry_timeout_s <= 0 or self.registry_patience_s < 0:
            raise ValueError("registry_timeout_s must be above 0, registry_patience_s not below")

    @property
    def label_weights(self) -> tuple[float, float, float, float]:
        """Weights of view, like, save and application: in the order of `events.Action`."""
        return (self.label_weight_view, self.label_weight_like, self.label_weight_save, self.label_weight_application)


def load(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings.

    Parameters
    ----------
    path
        A TOML file; default ``$STREAMREC_CONFIG``, else ``streamrec.toml`` in the working directory if it is there.
    environ
        ``STREAMREC_LOOKUP_PORT=9000`` sets `lookup_port`. The environment wins over the file.

    Raises
    ------
    SettingsError
        For an unreadable file, an unknown name or a value of the wrong type.

    Examples
    --------
    >>> load(environ={"STREAMREC_PARTITIONS": "8"}).partitions
    8
    >>> load(environ={"STREAMREC_PARTITIONS": "many"})
    Traceback (most recent call last):
        ...
    streamrec.settings.SettingsError: STREAMREC_PARTITIONS: Expected `int`, got `str` - at `$.partitions`
    """
    named = environ.get("STREAMREC_CONFIG")
    chosen = path or (Path(named) if named else None)
    if chosen is None and Path("streamrec.toml").exists():
        chosen = Path("streamrec.toml")
    values: dict[str, object] = {}
    origin: dict[str, str] = {}
    if chosen is not None:
        try:
            values = tomllib.loads(chosen.read_text())
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(f"{chosen}: {error}") from error
        origin = {name: f"{chosen}: {name}" for name in values}
    names = set(Settings.__struct_fields__)
    for variable, text in environ.items():
        name = variable.removeprefix("STREAMREC_").lower()
        if variable.startswith("STREAMREC_") and name in names:
            values[name] = text
            origin[name] = variable
    for name in sorted(set(values) - names):
        raise SettingsError(f"{origin[name]}: no such setting; known are {', '.join(sorted(names))}")
    for name, value in values.items():
        try:
            msgspec.convert({name: value}, Settings, strict=False)
        except msgspec.ValidationError as error:
            raise SettingsError(f"{origin[name]}: {error}") from error
    settings = msgspec.convert(values, Settings, strict=False)
    if settings.framing == "confluent" and settings.schema_registry is None:
        raise SettingsError(f"{origin['framing']}: the Confluent wire format needs schema_registry to be set")
    return settings
