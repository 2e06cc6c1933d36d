"""Where an event lies in Kafka, as an opaque text that a client hands back in ``after=``.

A token holds no secret and grants nothing, so it is not signed: a made-up one can only make its own sender wait.
"""

import base64
import binascii
from typing import Final

import msgspec

from streamrec.packed import DAMAGED

VERSION: Final = 1
MAX_LENGTH: Final = 512


class Token(msgspec.Struct, array_like=True, frozen=True):
    """One record in Kafka; `topic_id` is that of the topic at the time, so that a recreated topic is noticed."""

    topic_id: str
    topic: str
    partition: int
    offset: int


class InvalidTokenError(ValueError):
    """The text is not a token of this service."""


class _Envelope(msgspec.Struct, array_like=True, frozen=True):
    version: int
    token: Token


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Envelope)


def to_base64(value: bytes) -> str:
    """Base64 with the URL's alphabet and without padding."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode("ascii")


def from_base64(text: str) -> bytes:
    """The bytes behind `to_base64`; ValueError for anything that it does not write."""
    try:
        value = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("not base64url") from error
    if to_base64(value) != text:
        raise ValueError("not canonical base64url")
    return value


def encode(token: Token) -> str:
    """The text of a token.

    Examples
    --------
    >>> encode(Token("t-1", "job-views", 2, 17))
    'kgGUo3QtMalqb2Itdmlld3MCEQ'
    >>> decode('kgGUo3QtMalqb2Itdmlld3MCEQ')
    Token(topic_id='t-1', topic='job-views', partition=2, offset=17)
    """
    return to_base64(_encoder.encode(_Envelope(VERSION, token)))


def decode(text: str) -> Token:
    """The token behind a text.

    Raises
    ------
    InvalidTokenError
        The text is too long, damaged, or of a version that this one cannot read.
    """
    if len(text) > MAX_LENGTH:
        raise InvalidTokenError(f"a token has at most {MAX_LENGTH} characters")
    try:
        envelope = _decoder.decode(from_base64(text))
    except (ValueError, *DAMAGED) as error:
        raise InvalidTokenError("this is not a token that POST /v1/events gave out") from error
    if envelope.version != VERSION:
        raise InvalidTokenError(f"the token has version {envelope.version}, this service reads {VERSION}")
    if envelope.token.partition < 0 or envelope.token.offset < 0:
        raise InvalidTokenError("this is not a token that POST /v1/events gave out")
    return envelope.token
