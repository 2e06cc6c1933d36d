"""Cells of a table -> fields of records."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from math import isnan
from typing import Any, Final

from streamrec.codecs.records import KINDS
from streamrec.training.rows import FileError
from streamrec.training.tables import Rows

_TIMES: Final = frozenset({"occurred_at", "updated_at", "posted_at", "expires_at"})
LISTS: Final = frozenset({"skills", "desired_titles", "followed_companies", "blocked_companies"})
_SECONDS_BELOW: Final = 1e11  # as seconds that is the year 5138, as milliseconds 1973
_DAY_S: Final = 86_400

Converter = Callable[[str], object]


def time_ms(text: str) -> int:
    """Milliseconds since the epoch of a time in seconds, in milliseconds or in ISO 8601.

    Raises
    ------
    ValueError
        It is none of these.

    Examples
    --------
    >>> time_ms("1415272551"), time_ms("1415272551.25"), time_ms("1415272551000"), time_ms("2014-11-06T11:15:51Z")
    (1415272551000, 1415272551250, 1415272551000, 1415272551000)
    """
    try:
        number = float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1000)
    return round(number * 1000 if abs(number) < _SECONDS_BELOW else number)


def text_of(cell: object) -> str:
    """A cell as text; empty for none.

    Examples
    --------
    >>> text_of(" nurse "), text_of(None), text_of(True), text_of(2.5)
    ('nurse', '', 'true', '2.5')
    """
    if isinstance(cell, str):
        return cell.strip()
    if cell is None or (isinstance(cell, float) and isnan(cell)):
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    return cell.isoformat() if isinstance(cell, datetime) else str(cell)


def _list_of(text: str) -> list[str]:
    """Parts of ``a|b``, ``a;b`` or ``a,b``, whichever delimiter comes first in this order."""
    delimiter = next((mark for mark in "|;" if mark in text), ",")
    return list(dict.fromkeys(part.strip() for part in text.split(delimiter) if part.strip()))


def _dwell_ms(text: str) -> int:
    """Seconds on the page; a page left open counts as a day at most."""
    return round(min(max(float(text), 0.0), _DAY_S) * 1000)


def _converter(column: str, field: str) -> Converter:
    if column == "dwell_s":
        return _dwell_ms
    if field in _TIMES:
        return time_ms
    if field == "desired_titles" and column == "position_of_interest":
        return lambda text: [text]  # one a row: "Cook, part time" is one title
    return _list_of if field in LISTS else str


class Columns:
    """Which cells of a table are which fields of which records.

    Parameters
    ----------
    table
        The file.
    names
        Column name -> field name, on top of the fields' own names.
    records
        Names of the records that may come of a row.
    required
        Columns without which the file is of no use, by their first name in `names` or a field's name.
    renamed
        What a user said: the name that we know -> the name in the file.
    """

    def __init__(
        self, table: Rows, names: Mapping[str, str], records: tuple[str, ...], required: tuple[str, ...],
        renamed: Mapping[str, str],
    ) -> None:  # fmt: skip
        known = {actual: name for name, actual in renamed.items() if actual in table.columns}
        self.place: dict[str, int] = {}  # field -> cell
        self._converters: dict[str, Converter] = {}
        fields = {field for record in records for field in KINDS[record].type.__struct_fields__}
        self.unknown: list[str] = []
        for cell, column in enumerate(table.columns):
            name = known.get(column, column)
            field = names.get(name, name)
            overruled = column in known.values() and column not in known
            if overruled or field in self.place or (field not in fields and field not in required):
                self.unknown.append(column)
                continue
            self.place[field] = cell
            self._converters[field] = _converter(name, field)
        shown = {field: name for name, field in reversed(list(names.items()))}
        if missing := [shown.get(field, field) for field in required if field not in self.place]:
            raise FileError(
                f"{table.path}: no column {', '.join(missing)}; there are {', '.join(table.columns)}: say which one is "
                f"meant with --columns {missing[0]}=NAME"
            )
        self._by_record = {
            record: [
                (field, cell, self._converters[field])
                for field, cell in self.place.items()
                if field in KINDS[record].type.__struct_fields__
            ]
            for record in records
        }

    def fields(self, record: str, cells: list[Any]) -> dict[str, Any]:
        """Fields of `record` in a row; empty cells are left out.

        Raises
        ------
        ValueError
            A cell does not fit its field; the message names both.
        """
        values: dict[str, Any] = {}
        for field, cell, convert in self._by_record[record]:
            value = cells[cell]
            if isinstance(value, list):
                if value:
                    values[field] = value
            elif text := text_of(value):
                try:
                    values[field] = convert(text)
                except (ValueError, OverflowError) as error:
                    raise ValueError(f"{field} cannot be {text[:80]!r}") from error
        return values
