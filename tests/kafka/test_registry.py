"""The registry over HTTP: what it has, what it has not, and what is only out of order for now."""

import json
import ssl
import sys
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka.schema_registry import SchemaReference
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from streamrec import codecs
from streamrec.codecs import RegisteredSchema
from streamrec.kafka import subjects
from streamrec.kafka.registry import Registry, RegistryRefusedError, RegistryUnavailableError
from streamrec.local.ports import free_port
from streamrec.settings import Settings, SettingsError

from ..registry_server import RegistryServer

VIEW = subjects.schema_text("JobView")


@pytest.fixture
def settings(registry_server: Any) -> Settings:
    return Settings(schema_registry=registry_server.url, registry_timeout_s=1.0)


@pytest.fixture
def registry(settings: Settings) -> Registry:
    return Registry(settings)


def test_a_schema_is_found_by_its_id_and_an_unknown_id_is_none(registry: Registry, registry_server: Any) -> None:
    number = registry_server.add("job-views-value", VIEW)
    assert registry.schema(number) == RegisteredSchema(VIEW)
    assert registry.schema(number + 1) is None


def test_schemas_that_one_refers_to_come_along_each_after_those_it_needs(
    registry: Registry, registry_server: Any
) -> None:
    inner = {"type": "record", "name": "Inner", "namespace": "n", "fields": []}
    middle = {
        "type": "record", "name": "Middle", "namespace": "n", "fields": [{"name": "inner", "type": "n.Inner"}],
    }  # fmt: skip
    outer = {"type": "record", "name": "Outer", "namespace": "n", "fields": [{"name": "middle", "type": "n.Middle"}]}
    registry_server.add("inner", inner)
    registry_server.add("middle", middle, references=[SchemaReference("n.Inner", "inner", 1)])
    number = registry_server.add("outer", outer, references=[SchemaReference("n.Middle", "middle", 1)])
    found = registry.schema(number)
    assert found is not None
    assert [json.loads(text)["name"] for text in found.named] == ["Inner", "Middle"]
    assert json.loads(found.text) == outer


def test_another_language_is_told(registry: Registry, registry_server: Any) -> None:
    found = registry.schema(registry_server.add("proto", 'syntax = "proto3";', "PROTOBUF"))
    assert found is not None
    assert found.language == "PROTOBUF"


@pytest.fixture(params=["refused", "error", "no registry", "login", "proxy"])
def useless(request: pytest.FixtureRequest, registry_server: Any, settings: Settings) -> Registry:
    """A registry that does not answer the question, for each reason that there may be."""
    match request.param:
        case "refused":
            registry_server.stop()
        case "error":
            registry_server.broken = 500
        case "no registry":
            settings = msgspec.structs.replace(settings, schema_registry=f"{registry_server.url}/elsewhere")
        case "proxy":
            registry_server.broken = 400
        case "login":
            registry_server.user_info = "user:secret"
    return Registry(settings)


def test_what_is_no_answer_is_never_taken_for_an_unknown_id(useless: Registry, registry_server: Any) -> None:
    with pytest.raises(RegistryUnavailableError, match=registry_server.url):
        useless.schema(1)
    with pytest.raises((RegistryUnavailableError, RegistryRefusedError)):
        useless.id_of("job-views-value", VIEW)
    with pytest.raises((RegistryUnavailableError, RegistryRefusedError)):
        list(subjects.register(useless))


@pytest.mark.parametrize("where", ["setting", "address"])
def test_the_login_goes_along_and_is_never_shown(settings: Settings, registry_server: Any, where: str) -> None:
    registry_server.user_info = "user:se cret"
    if where == "setting":
        settings = msgspec.structs.replace(settings, registry_user_info="user:se cret")
    else:
        address = registry_server.url.replace("http://", "http://user:se%20cret@")
        settings = msgspec.structs.replace(settings, schema_registry=address)
    registry = Registry(settings)
    assert registry.schema(registry_server.add("s", VIEW)) == RegisteredSchema(VIEW)
    registry_server.stop()
    with pytest.raises(RegistryUnavailableError) as caught:
        registry.schema(999)
    assert "cret" not in str(caught.value)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that vouches for itself, and its key: here both sides use it."""
    directory = tmp_path_factory.mktemp("certificate")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "registry")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (directory / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (directory / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return directory / "certificate.pem", directory / "key.pem"


def test_a_registry_behind_tls_that_wants_a_certificate_of_the_client(certificate: tuple[Path, Path]) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificate[0])
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(*certificate)
    server = RegistryServer(tls=context)
    try:
        number = server.add("s", VIEW)
        trusting = Settings(schema_registry=server.url, registry_ca_file=str(certificate[0]))
        known = msgspec.structs.replace(
            trusting, registry_certificate_file=str(certificate[0]), registry_key_file=str(certificate[1])
        )
        assert Registry(known).schema(number) == RegisteredSchema(VIEW)
        for settings in (trusting, Settings(schema_registry=server.url)):
            with pytest.raises(RegistryUnavailableError, match="does not answer"):
                Registry(settings).schema(number)
    finally:
        server.stop()


def test_a_missing_file_is_a_mistake_in_the_settings(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="do not work"):
        Registry(msgspec.structs.replace(settings, registry_ca_file=str(tmp_path / "none.pem")))


def test_without_the_extra_it_is_said_what_to_install(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka.schema_registry", None)
    with pytest.raises(SettingsError, match=r"pip install 'streamrec\[registry\]'"):
        Registry(settings)


def test_our_schemas_are_registered_once_under_the_names_of_their_topics(registry: Registry) -> None:
    before = list(subjects.check(registry))
    assert {subject.state for subject in before} == {"missing"}
    assert [subject.state for subject in subjects.register(registry)] == ["new"] * len(codecs.PUBLIC_RECORDS)
    after = list(subjects.check(registry))
    assert {subject.state for subject in after} == {"registered"}
    assert list(subjects.register(registry)) == after
    assert {subject.name for subject in after} >= {"job-views-value", "member-profiles-value"}
    assert registry.versions("job-views-value") == [1]
    assert registry.versions("nothing") == []


def test_what_does_not_fit_the_versions_before_is_told_and_the_rest_is_registered(
    registry: Registry, registry_server: Any
) -> None:
    other = json.loads(VIEW)
    other["fields"] = [field for field in other["fields"] if field["name"] != "member_id"]
    registry_server.add("job-views-value", other)
    [checked] = [subject for subject in subjects.check(registry) if subject.state == "incompatible"]
    assert checked.topic == "job-views"
    registered = list(subjects.register(registry))
    [refused] = [subject for subject in registered if subject.id is None]
    assert refused.state == "incompatible"
    assert "incompatible with an earlier schema" in str(refused.problem)
    assert len([subject for subject in registered if subject.state == "new"]) == len(codecs.PUBLIC_RECORDS) - 1
    with pytest.raises(RegistryRefusedError):
        registry.register("job-views-value", VIEW)


def test_nobody_there_is_said_within_the_timeout() -> None:
    registry = Registry(Settings(schema_registry=f"http://127.0.0.1:{free_port()}"))
    with pytest.raises(RegistryUnavailableError, match="does not answer"):
        registry.schema(1)
