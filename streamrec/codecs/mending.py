"""``--fix``: assignments that mend the fields of a record before it is sent again.

Expressions are those of simpleeval: arithmetic, comparisons, conditions, lists, indexing, and the methods of strings and
numbers; no imports, no attributes beyond these, nothing of Python's own beside `_FUNCTIONS`.
"""

import ast
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from simpleeval import BASIC_ALLOWED_ATTRS, EvalWithCompoundTypes

from streamrec.codecs.framing import decode, encode
from streamrec.codecs.records import KINDS
from streamrec.events import Rejected

KEY: Final = "key"
_FUNCTIONS: Final = {
    "int": int, "float": float, "str": str, "len": len, "abs": abs, "round": round, "min": min, "max": max,
}  # fmt: skip


class FixError(ValueError):
    """A fix that cannot be understood, or that does not fit the record; the message says which and why."""


class Fix(msgspec.Struct, frozen=True):
    """One assignment: `target` is a field, or ``key``."""

    text: str
    target: str
    expression: ast.expr


def parse_fix(text: str) -> Fix:
    """The assignment in `text`.

    Raises
    ------
    FixError
        It is none.

    Examples
    --------
    >>> parse_fix("occurred_at = min(occurred_at, failed_at)").target
    'occurred_at'
    >>> parse_fix("occurred_at == 5")
    Traceback (most recent call last):
        ...
    streamrec.codecs.mending.FixError: 'occurred_at == 5' is not FIELD = EXPRESSION, such as "occurred_at = failed_at"
    """
    try:
        body = ast.parse(text.strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        body = []
    if len(body) == 1 and isinstance(body[0], ast.Assign):
        [target, *others] = body[0].targets
        if isinstance(target, ast.Name) and not others:
            return Fix(text.strip(), target.id, body[0].value)
    raise FixError(f'{text!r} is not FIELD = EXPRESSION, such as "occurred_at = failed_at"')


def mend(
    record: str, key: bytes | None, value: bytes | None, fixes: Sequence[Fix], names: Mapping[str, object]
) -> tuple[bytes | None, bytes] | Rejected:
    """Key and value of a record with the `fixes` applied in their order.

    Parameters
    ----------
    record
        Name of the schema that the topic carries.
    key, value
        As they came; a null value has no fields, so that the fixes have to name all that are required.
    fixes, names
        What to assign, and what expressions may use beside the fields and `key`.

    Returns
    -------
    tuple or Rejected
        Where the key's field was assigned and the key was not, the key follows the field. Rejected: the value cannot be
        decoded, so it has no fields to mend.

    Raises
    ------
    FixError
        An unknown name or field, a value of the wrong type, or whatever an expression fails of.

    Examples
    --------
    >>> from streamrec.events import JobView
    >>> view = JobView(event_id="e1", member_id=" m1 ", job_id="j1", occurred_at=5)
    >>> key, value = mend("JobView", b" m1 ", encode(view), [parse_fix("member_id = member_id.strip()")], {})
    >>> key, decode("JobView", value).member_id
    (b'm1', 'm1')
    """
    kind = KINDS[record]
    event = None if value is None else decode(record, value)
    if isinstance(event, Rejected):
        return event
    types = {field.name: field.type for field in msgspec.structs.fields(kind.type)}
    fields: dict[str, Any] = {} if event is None else msgspec.structs.asdict(event)
    assigned: dict[str, Any] = {}
    text_key = None if key is None else key.decode(errors="replace")
    for fix in fixes:
        known = {**names, KEY: text_key, **fields, **assigned}
        if fix.target != KEY and fix.target not in types:
            raise FixError(f"{fix.text!r}: a {record} has no field `{fix.target}`; it has {', '.join(types)}")
        made = _evaluate(fix, known)
        if fix.target == KEY:
            key, text_key = _key(fix, made)
            continue
        try:
            assigned[fix.target] = msgspec.convert(made, types[fix.target])
        except msgspec.ValidationError as error:
            raise FixError(f"{fix.text!r}: {fix.target}: {error}") from error
    if kind.key in assigned and not any(fix.target == KEY for fix in fixes):
        key = str(assigned[kind.key]).encode(errors="replace")
    try:
        mended = kind.type(**assigned) if event is None else msgspec.structs.replace(event, **assigned)
        return key, encode(mended)
    except (ValueError, OverflowError, TypeError) as error:  # also a field that is missing after a null value
        raise FixError(f"the mended {record} cannot be written: {error}") from error


def _evaluate(fix: Fix, names: Mapping[str, object]) -> object:
    evaluator = EvalWithCompoundTypes(functions=dict(_FUNCTIONS), names=dict(names), allowed_attrs=BASIC_ALLOWED_ATTRS)
    try:
        return evaluator.eval(fix.text, previously_parsed=fix.expression)
    except Exception as error:  # simpleeval's own kinds, and whatever the operations raise
        raise FixError(f"{fix.text!r}: {error}") from error


def _key(fix: Fix, made: object) -> tuple[bytes | None, str | None]:
    if made is None:
        return None, None
    if not isinstance(made, str):
        raise FixError(f"{fix.text!r}: a key is a text, not {type(made).__name__}")
    return made.encode(errors="replace"), made
