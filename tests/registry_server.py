"""A schema registry over HTTP for tests: the endpoints of Confluent's that streamrec uses, over confluent-kafka's mock store.

Processes cannot share the mock itself, and the registries that can be had are too heavy for a test.
"""

import base64
import json
import re
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import avro.schema
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

Answer = dict[str, Any] | list[Any]
_NOTHING: Answer = {}


class RegistryServer:
    """Listens from the start; `stop` and `start` are an outage, which the schemas survive.

    `user_info` is what callers must log in with; with `tls` it is https; `broken` is the status of every answer,
    if it is set.
    """

    def __init__(self, user_info: str | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.mock = SchemaRegistryClient.new_client({"url": "mock://tests", "ssl.ca.location": False})
        self.user_info, self.broken = user_info, 0
        self._tls = tls
        self.asked: list[str] = []  # paths of GET requests
        self._port = 0
        self._server: ThreadingHTTPServer | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self._port}"

    @property
    def next_id(self) -> int:
        """The id that the next schema will get."""
        return int(self.mock._store.max_id) + 1

    def add(self, subject: str, schema: object, language: str = "AVRO", references: Any = ()) -> int:
        """Register without a check of compatibility; the id."""
        text = schema if isinstance(schema, str) else json.dumps(schema)
        return int(self.mock.register_schema(subject, Schema(text, language, list(references))))

    def start(self) -> None:
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                registry.asked.append(self.path)
                self._answer(lambda: registry._get(self.path.partition("?")[0]))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self._answer(lambda: registry._post(self.path.partition("?")[0], body))

            def _answer(self, find: Callable[[], Answer]) -> None:
                status, answer = 200, _NOTHING
                try:
                    registry._admit(self.headers["Authorization"])
                    answer = find()
                except SchemaRegistryError as error:
                    status = error.http_status_code
                    answer = {"error_code": error.error_code, "message": error.error_message}
                payload = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *arguments: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._server.daemon_threads = True
        if self._tls is not None:
            self._server.socket = self._tls.wrap_socket(self._server.socket, server_side=True)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _admit(self, authorization: str | None) -> None:
        if self.broken:
            raise SchemaRegistryError(self.broken, self.broken, "out of order")
        if self.user_info is not None:
            wanted = f"Basic {base64.b64encode(self.user_info.encode()).decode()}"
            if authorization != wanted:
                raise SchemaRegistryError(401, 401, "Unauthorized")

    def _get(self, path: str) -> Answer:
        if (found := re.fullmatch(r"/schemas/ids/(\d+)", path)) and int(found[1]) < 2**31:  # else as no path at all
            return _document(self.mock.get_schema(int(found[1])))
        if found := re.fullmatch(r"/subjects/([^/]+)/versions", path):
            if not (versions := sorted(self.mock.get_versions(found[1]))):
                raise SchemaRegistryError(404, 40401, "Subject not found")
            return versions
        if found := re.fullmatch(r"/subjects/([^/]+)/versions/(\d+)", path):
            return _registered(self.mock.get_version(found[1], int(found[2])))
        raise SchemaRegistryError(404, 404, "HTTP 404 Not Found")

    def _post(self, path: str, body: dict[str, Any]) -> Answer:
        schema = Schema(body["schema"], body.get("schemaType", "AVRO"), [])
        if found := re.fullmatch(r"/subjects/([^/]+)", path):
            return _registered(self.mock.lookup_schema(found[1], schema))
        if found := re.fullmatch(r"/subjects/([^/]+)/versions", path):
            if not self._fits(found[1], schema):
                raise SchemaRegistryError(409, 409, "Schema being registered is incompatible with an earlier schema")
            return {"id": self.mock.register_schema(found[1], schema)}
        if found := re.fullmatch(r"/compatibility/subjects/([^/]+)/versions/latest", path):
            return {"is_compatible": self._fits(found[1], schema)}
        raise SchemaRegistryError(404, 404, "HTTP 404 Not Found")

    def _fits(self, subject: str, schema: Any) -> bool:
        """Backward compatibility, which registries check unless told otherwise."""
        if not self.mock.get_versions(subject):
            return True
        latest = self.mock.get_latest_version(subject).schema
        reader, writer = avro.schema.parse(schema.schema_str), avro.schema.parse(latest.schema_str)
        found = ReaderWriterCompatibilityChecker().get_compatibility(reader, writer)
        return bool(found.compatibility is SchemaCompatibilityType.compatible)


def _document(schema: Any) -> dict[str, Any]:
    document: dict[str, Any] = {"schema": schema.schema_str}
    if schema.schema_type != "AVRO":  # Avro is what no word means
        document["schemaType"] = schema.schema_type
    if schema.references:
        document["references"] = [
            {"name": part.name, "subject": part.subject, "version": part.version} for part in schema.references
        ]
    return document


def _registered(found: Any) -> dict[str, Any]:
    return {"subject": found.subject, "id": found.schema_id, "version": found.version, **_document(found.schema)}
