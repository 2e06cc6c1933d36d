"""All settings, read once: defaults, then a TOML file, then the environment (``STREAMREC_…``)."""

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit, urlunsplit

import msgspec

Option = bool | int | float | str
_SECRET: Final = ("_password", "_user_info")  # how the names of settings end that nobody else may read
_HIDDEN: Final = "***"
_DAY_MS: Final = 86_400_000


class SettingsError(ValueError):
    """A setting is unknown, or its value does not fit; the message names it and where it was set."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One installation. Times are in the unit that the name ends with."""

    # Where things are.
    kafka: str = "127.0.0.1:9092"  # bootstrap servers, comma separated
    redis: str = "redis://127.0.0.1:6379/0"  # rediss:// for TLS; of a cluster some of its nodes, comma separated
    namespace: str = "sr"  # prefix of every key in Redis
    group: str = "streamrec"  # prefix of the Kafka consumer groups
    partitions: int = 4  # of all member- and job-keyed topics; fixed once data is in
    data_dir: str = ".streamrec"  # disk copies of model snapshots, Faust's own files

    # Kafka over TLS, with a login. Files are in PEM.
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_username: str | None = None
    kafka_password: str | None = None
    kafka_password_file: str | None = None  # instead: read whenever a client is made
    kafka_ca_file: str | None = None  # None: the usual authorities
    kafka_certificate_file: str | None = None  # where Kafka wants to see one of the client's
    kafka_key_file: str | None = None
    kafka_options: dict[str, Option] = {}  # anything else that librdkafka takes; see `kafka.security`

    # Redis over TLS (rediss://), with a login, or as a cluster. Files are in PEM.
    redis_cluster: bool = False
    redis_username: str | None = None  # of the ACL; or in the URL, as the password
    redis_password: str | None = None
    redis_password_file: str | None = None  # instead: read whenever a client is made
    redis_ca_file: str | None = None  # None: the usual authorities
    redis_certificate_file: str | None = None  # where Redis wants to see one of the client's
    redis_key_file: str | None = None

    # Streams.
    transport: Literal["batched", "stock"] = "batched"  # "stock" is Faust message by message, for comparison
    batch_records: int = 1000  # at most, a partition, and of all topics of a slot in one turn
    kept_state_mb: int = 200  # memory of a worker for states that need not be read and unpacked again; 0 keeps none
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

    # What is forgotten, see `features.forgetting`; 0: nothing.
    member_kept_days: float = 730.0  # after a member's last event: then all but the profile and the connections
    job_kept_days: float = 90.0  # after the last event of a job that is closed, expired or removed
    sweep_every_s: float = 21_600.0

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
    probe_metrics_port: int = 9103

    # Traces by OpenTelemetry. Needs `pip install 'streamrec[tracing]'`.
    tracing: str = (
        "off"  # or http(s)://collector:4318, which takes OTLP; or otlp: the environment's OTEL_... say where and how
    )

    # The probe: how long an event takes until an answer shows it, by members who are nobody.
    probe_url: str | None = (
        None  # of a lookup, or of what balances load over several; None: lookup_host and lookup_port
    )
    probe_interval_s: float = 2.0  # between two probes; partitions take turns
    probe_timeout_s: float = 10.0  # an event that no answer shows by then has come to nothing

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
        if min(self.member_kept_days, self.job_kept_days) < 0 or self.sweep_every_s <= 0:
            raise ValueError("member_kept_days and job_kept_days must be 0 or above, sweep_every_s above 0")
        urls = [] if self.schema_registry is None else self.schema_registry.split(",")
        if not all(url.strip().startswith(("http://", "https://")) for url in urls):
            raise ValueError("schema_registry must start with http:// or https://")
        if self.registry_user_info is not None and ":" not in self.registry_user_info:
            raise ValueError("registry_user_info must be user:password")
        if self.probe_interval_s <= 0 or self.probe_timeout_s <= 0:
            raise ValueError("probe_interval_s and probe_timeout_s must be above 0")
        if self.probe_url is not None and not self.probe_url.startswith(("http://", "https://")):
            raise ValueError("probe_url must start with http:// or https://")
        if self.tracing not in ("off", "otlp") and not self.tracing.startswith(("http://", "https://")):
            raise ValueError("tracing must be off, otlp, or start with http:// or https://")
        if self.registry_timeout_s <= 0 or self.registry_patience_s < 0:
            raise ValueError("registry_timeout_s must be above 0, registry_patience_s not below")

    def __repr__(self) -> str:
        """Without what is secret, and without what is as it would be anyway.

        Examples
        --------
        >>> Settings(redis="redis://:pw@r:6379/0", kafka_password="pw", kafka_options={"ssl.key.password": "pw"})
        Settings(redis='redis://r:6379/0', kafka_password='***', kafka_options={'ssl.key.password': '***'})
        """
        told = (
            f"{name}={_told(name, value)!r}"
            for name, value in msgspec.structs.asdict(self).items()
            if value != getattr(_DEFAULTS, name)
        )
        return f"Settings({', '.join(told)})"

    @property
    def redis_shown(self) -> str:
        """`redis` for people, without a password that may stand in it."""
        return without_login(self.redis)

    @property
    def member_kept_ms(self) -> int:
        """`member_kept_days` in milliseconds."""
        return round(self.member_kept_days * _DAY_MS)

    @property
    def job_kept_ms(self) -> int:
        """`job_kept_days` in milliseconds."""
        return round(self.job_kept_days * _DAY_MS)

    @property
    def label_weights(self) -> tuple[float, float, float, float]:
        """Weights of view, like, save and application: in the order of `events.Action`."""
        return (self.label_weight_view, self.label_weight_like, self.label_weight_save, self.label_weight_application)


_DEFAULTS: Final = Settings()


def _told(name: str, value: object) -> object:
    if name.endswith(_SECRET):
        return _HIDDEN
    if isinstance(value, dict):
        return dict.fromkeys(value, _HIDDEN)
    return without_login(value) if isinstance(value, str) and "@" in value else value


def without_login(urls: str) -> str:
    """Addresses, comma separated, without users and passwords.

    Examples
    --------
    >>> without_login("rediss://ann:p@ss@r1:6379/0, redis://r2"), without_login("kafka:9092")
    ('rediss://r1:6379/0,redis://r2', 'kafka:9092')
    """
    parts = [urlsplit(url.strip()) for url in urls.split(",")]
    return ",".join(urlunsplit(part._replace(netloc=part.netloc.rpartition("@")[2])) for part in parts)


def environ_of(settings: Settings) -> dict[str, str]:
    """The environment under which another process loads the same `settings`, whatever file it finds.

    Examples
    --------
    >>> environ_of(Settings(partitions=8, kafka_options={"client.rack": "a"}))["STREAMREC_KAFKA_OPTIONS"]
    '{"client.rack": "a"}'
    """
    values = msgspec.structs.asdict(settings)
    texts = ((name, json.dumps(value) if isinstance(value, dict) else str(value)) for name, value in values.items())
    return {f"STREAMREC_{name.upper()}": text for name, text in texts if values[name] is not None}


def _options(text: str) -> object:
    """A table out of the environment: a JSON object, or ``name=value`` separated by commas."""
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"is not a JSON object: {error}") from None
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    if not all(sign for _, sign, _ in pairs):
        raise ValueError("must be name=value, several separated by commas, or a JSON object")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _contradictions(settings: Settings) -> Iterator[tuple[str, str]]:
    """Settings that do not go together: the name of one, and what is wrong."""
    if settings.framing == "confluent" and settings.schema_registry is None:
        yield "framing", "the Confluent wire format needs schema_registry to be set"
    protocol = settings.kafka_security_protocol
    login = [settings.kafka_username, settings.kafka_password, settings.kafka_password_file]
    if protocol.startswith("SASL") and (login[0] is None or login[1:] == [None, None]):
        yield "kafka_security_protocol", f"{protocol} needs kafka_username, and kafka_password or kafka_password_file"
    if not protocol.startswith("SASL") and login != [None] * 3:
        yield "kafka_username", f"a login needs kafka_security_protocol SASL_SSL (or SASL_PLAINTEXT); it is {protocol}"
    tls = {"kafka": protocol.endswith("SSL"), "redis": "rediss://" in settings.redis}
    for name, secured in tls.items():
        ca, certificate, key = (f"{name}_{kind}_file" for kind in ("ca", "certificate", "key"))
        files = [each for each in (ca, certificate, key) if getattr(settings, each) is not None]
        if files and not secured:
            how = "kafka_security_protocol SSL or SASL_SSL" if name == "kafka" else "a URL with rediss://"
            yield files[0], f"files of TLS need {how}"
        if key in files and certificate not in files:
            yield key, f"a key needs its certificate, {certificate}"
    for name in ("kafka", "redis"):
        if getattr(settings, f"{name}_password") and getattr(settings, f"{name}_password_file"):
            yield f"{name}_password_file", f"either this or {name}_password, not both"
    if settings.redis_username is not None and settings.redis_password is settings.redis_password_file is None:
        yield "redis_username", "a user needs redis_password or redis_password_file"
    logged_in = settings.redis_password is not None or settings.redis_password_file is not None
    if logged_in and "@" in settings.redis:
        yield "redis", "a login is in the URL and in redis_password (or redis_password_file): leave one of them out"


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
            origin[name] = variable
            try:
                values[name] = _options(text) if name == "kafka_options" else text
            except ValueError as error:
                raise SettingsError(f"{variable} {error}") from error
    for name in sorted(set(values) - names):
        raise SettingsError(f"{origin[name]}: no such setting; known are {', '.join(sorted(names))}")
    for name, value in values.items():
        try:
            msgspec.convert({name: value}, Settings, strict=False)
        except msgspec.ValidationError as error:
            raise SettingsError(f"{origin[name]}: {error}") from error
    settings = msgspec.convert(values, Settings, strict=False)
    for name, what in _contradictions(settings):
        raise SettingsError(f"{origin.get(name, name)}: {what}")
    return settings
