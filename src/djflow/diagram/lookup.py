"""Tables by whatever users call them: classes, instances, and names in several spellings."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

from djflow.definition.class_names import find_table
from djflow.errors import InvalidArgumentError, MissingTableError, UnknownTableError, did_you_mean
from djflow.model.names import TableName
from djflow.sql.identifiers import qualified
from djflow.tables.declared import Table
from djflow.tables.free import split_name

_MOST: Final = 20


def find(wanted: Any, names: Iterable[TableName], labels: Mapping[TableName, str]) -> list[TableName]:
    """Those of the names that somebody may mean by a class, an instance, a name or a label.

    A name is `schema.table`, plain or with both parts in quotes or backticks, `schema.Class`, or either
    without its schema; a part is `Master.Part` or `master__part`.

    Raises `MissingTableError` where a class name fits several tables of one schema.

    >>> lab = [TableName("lab", "session"), TableName("lab", "__fit"), TableName("new", "session")]
    >>> [str(name) for name in find("lab.Session", lab, {})], len(find("Session", lab, {}))
    (['lab.session'], 2)
    """
    if isinstance(wanted, str):
        return _called(wanted, names, labels)
    name = _name_of(wanted)
    return [name] if name in names else []


def _name_of(wanted: Any) -> TableName:
    if isinstance(wanted, TableName):
        return wanted
    if isinstance(wanted, type) and issubclass(wanted, Table):
        wanted = wanted()
    if isinstance(wanted, Table):
        return wanted.table_model.name
    raise InvalidArgumentError(
        "Name a table by its class, or by a name such as 'Session' or 'lab.Session', "
        f"not by {type(wanted).__name__}."
    )


def _called(text: str, names: Iterable[TableName], labels: Mapping[TableName, str]) -> list[TableName]:
    by_schema: dict[str, list[TableName]] = defaultdict(list)
    for name in names:
        by_schema[name.schema].append(name)
    labelled = [name for own in by_schema.values() for name in own if labels.get(name) == text]
    return labelled or _qualified(text, by_schema) or _unqualified(text, by_schema)


def _qualified(text: str, by_schema: Mapping[str, list[TableName]]) -> list[TableName]:
    with suppress(InvalidArgumentError, UnknownTableError):
        schema, table = split_name(text)
        return [find_table(table, by_schema.get(schema, ()), schema=schema)]
    return []


def _unqualified(text: str, by_schema: Mapping[str, list[TableName]]) -> list[TableName]:
    found: list[TableName] = []
    for schema, own in by_schema.items():
        with suppress(UnknownTableError):
            found.append(find_table(text, own, schema=schema))
    return found


def the_one(
    wanted: Any, names: Collection[TableName], labels: Mapping[TableName, str], *, place: str
) -> TableName:
    """The table that is meant.

    Raises `MissingTableError`, which tells what the place has, where there is none, or several.
    """
    found = find(wanted, names, labels)
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(map(str, sorted(found)))
        raise MissingTableError(f"{wanted!r} could be any of {listed}. Name it with its schema.")
    shown = wanted if isinstance(wanted, str) else str(_name_of(wanted))
    known = [str(name) for name in names]
    listed = ", ".join(known[:_MOST]) + (f" and {len(known) - _MOST} more" if len(known) > _MOST else "")
    hint = did_you_mean(shown, [*known, *(name.class_path for name in names)])
    raise MissingTableError(f"{shown!r} is not in {place}.{hint} It has {listed or 'no tables'}.")


class Counts(dict[str, int]):
    """Numbers of rows by full table name, `'"lab"."session"'`.

    Brackets also take a class, `"Session"`, `"lab.Session"`, `"lab.session"`, or backticks for quotes.

    >>> counts = Counts({TableName("lab", "session"): 3, TableName("lab", "session__trial"): 45})
    >>> counts["Session.Trial"], counts == {'"lab"."session"': 3, '"lab"."session__trial"': 45}
    (45, True)
    """

    def __init__(
        self, counts: Mapping[TableName, int], labels: Mapping[TableName, str] | None = None
    ) -> None:
        super().__init__((qualified(name), number) for name, number in counts.items())
        self._names, self._labels = tuple(counts), dict(labels or {})

    def __missing__(self, wanted: object) -> int:
        try:
            name = the_one(wanted, self._names, self._labels, place="these counts")
        except MissingTableError as error:
            raise KeyError(str(error)) from None
        return self[qualified(name)]
