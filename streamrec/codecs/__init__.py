"""Bytes and JSON <-> event | Rejected. All reading of foreign input happens here; nothing here ever raises on it."""

from streamrec.codecs.checks import MAX_ID, REASONS, check
from streamrec.codecs.consumed import decode_record
from streamrec.codecs.framing import decode, directory, encode
from streamrec.codecs.origins import Origin, Redriven, redriven
from streamrec.codecs.plain import from_json, to_json
from streamrec.codecs.records import PUBLIC_RECORDS, RECORDS, Message, key_field
from streamrec.codecs.writers import RegisteredSchema, Writers

__all__ = [
    "MAX_ID", "PUBLIC_RECORDS", "REASONS", "RECORDS", "Message", "Origin", "Redriven", "RegisteredSchema", "Writers", "check",
    "decode", "decode_record", "directory", "encode", "from_json", "key_field", "redriven", "to_json",
]  # fmt: skip
