"""What is set where, what contradicts itself, and what is never shown."""

from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec

from streamrec.credentials import password, tls_context
from streamrec.settings import Settings, SettingsError, environ_of, load

LOGIN = {"STREAMREC_KAFKA_USERNAME": "ann", "STREAMREC_KAFKA_PASSWORD": "pw-1"}


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "STREAMREC_KAFKA_SECURITY_PROTOCOL: SASL_SSL needs kafka_username"),
        ({"KAFKA_USERNAME": "ann", "KAFKA_PASSWORD": "pw-1"}, "kafka_security_protocol SASL_SSL .*it is PLAINTEXT"),
        ({"KAFKA_CA_FILE": "ca.pem"}, "STREAMREC_KAFKA_CA_FILE: files of TLS need kafka_security_protocol SSL"),
        ({"REDIS_CA_FILE": "ca.pem"}, "STREAMREC_REDIS_CA_FILE: files of TLS need a URL with rediss://"),
        ({"REDIS": "rediss://r", "REDIS_KEY_FILE": "k"}, "STREAMREC_REDIS_KEY_FILE: a key needs its certificate"),
        ({"REDIS_PASSWORD": "pw-1", "REDIS_PASSWORD_FILE": "f"}, "either this or redis_password, not both"),
        ({"REDIS_USERNAME": "ann"}, "a user needs redis_password or redis_password_file"),
        ({"REDIS": "redis://:pw-2@r", "REDIS_PASSWORD": "pw-1"}, "leave one of them out"),
        ({"KAFKA_OPTIONS": "client.rack"}, "STREAMREC_KAFKA_OPTIONS must be name=value"),
        ({"KAFKA_OPTIONS": "{pw-1"}, "STREAMREC_KAFKA_OPTIONS is not a JSON object"),
        ({"KAFKA_OPTIONS": '{"a": [1]}'}, "STREAMREC_KAFKA_OPTIONS: "),
        ({"KAFKA_SASL_MECHANISM": "GSSAPI"}, "STREAMREC_KAFKA_SASL_MECHANISM: Invalid enum value"),
    ],
)
def test_what_does_not_go_together_is_named_where_it_was_set(environ: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        load(environ={f"STREAMREC_{name}": value for name, value in environ.items()})
    assert "pw-" not in str(caught.value)


@pytest.mark.parametrize("text", ["client.rack=a, socket.timeout.ms=5", '{"client.rack": "a", "socket.timeout.ms": 5}'])
def test_options_come_from_the_environment_in_two_forms(text: str) -> None:
    found = load(environ={"STREAMREC_KAFKA_OPTIONS": text}).kafka_options
    assert {name: str(value) for name, value in found.items()} == {"client.rack": "a", "socket.timeout.ms": "5"}


def test_options_are_a_table_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "streamrec.toml"
    file.write_text(
        'kafka = "k:1"\n[kafka_options]\n"client.rack" = "a"\n"enable.ssl.certificate.verification" = false\n'
    )
    settings = load(file, {})
    assert settings.kafka_options == {"client.rack": "a", "enable.ssl.certificate.verification": False}
    assert load(environ=environ_of(settings)) == settings


def test_nothing_secret_is_in_what_settings_look_like() -> None:
    settings = Settings(
        redis="rediss://ann:pw-1@r:6379/0", kafka_password="pw-2", redis_password="pw-3", registry_user_info="u:pw-4",
        schema_registry="http://ann:pw-5@registry", kafka_options={"ssl.key.password": "pw-6"}, kafka_username="ann",
    )  # fmt: skip
    for shown in (repr(settings), str(settings), settings.redis_shown, f"{[settings]}"):
        assert "pw-" not in shown
    assert "kafka_username='ann'" in repr(settings)
    assert repr(Settings()) == "Settings()"


def test_a_new_password_in_a_file_is_the_one_from_then_on(tmp_path: Path) -> None:
    file = tmp_path / "password"
    settings = Settings(kafka_password_file=str(file))
    for content in ("old\n", "new"):
        file.write_text(content)
        assert password(settings, "kafka") == content.strip()
    assert password(msgspec.structs.replace(settings, kafka_password_file=None, kafka_password="x"), "kafka") == "x"


def test_a_key_without_its_password_is_named(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    locked = tmp_path / "key.pem"
    lock = form.BestAvailableEncryption(b"pw-1")
    locked.write_bytes(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, lock))
    settings = Settings(kafka_certificate_file=str(locked), kafka_key_file=str(locked))
    with pytest.raises(SettingsError, match="kafka_certificate_file: "):
        tls_context(settings, "kafka")
