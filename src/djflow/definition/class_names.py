"""Python names for the tables of a schema, whoever made them, and the way back."""

import keyword
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from itertools import count

from djflow.errors import DefinitionError, MissingTableError, UnknownTableError
from djflow.model.names import TableName, Tier, camel_case, snake_case, table_name

_TIERS = tuple(Tier)


def class_names(tables: Iterable[TableName]) -> dict[TableName, str]:
    """A dotted name for each table of a schema, a part's behind its master's; no two are the same.

    It is the name of the class that declares such a table, where there is one. Other tables get an
    identifier near to theirs; of several that would get the same, all but the first get a number.

    >>> names = class_names(TableName("lab", name) for name in ("#rig", "rig", "rig__wire", "2nd-hand"))
    >>> {name.table: path for name, path in names.items()}
    {'rig': 'Rig', '#rig': 'Rig_2', '2nd-hand': 'T2ndHand', 'rig__wire': 'Rig.Wire'}
    """
    known = frozenset(tables)
    ordered = sorted(known, key=lambda name: (not is_declarable(name), _TIERS.index(name.tier), name))
    paths: dict[TableName, str] = {}
    taken: set[str] = set()
    for name in sorted(ordered, key=lambda name: name.master in known):
        master = name.master
        prefix = f"{paths[master]}." if master in known and master is not None else ""
        body = name.table.removeprefix(f"{master.table}__") if prefix and master else name.table
        paths[name] = path = _free(prefix + _identifier(body), taken)
        taken.add(path)
    return paths


def is_declarable(name: TableName) -> bool:
    """Whether the name is one that a class gives its table.

    >>> [is_declarable(TableName("lab", name)) for name in ("#rig", "__ana__fit", "Rig", "rig_2", "a__b__c")]
    [True, True, False, False, False]
    """
    master = name.master
    body = name.table.removeprefix(f"{master.table}__" if master else name.tier.prefix)
    class_name = camel_case(body)
    with suppress(DefinitionError):
        fits = table_name(name.schema, class_name, name.tier, master) == name
        return fits and not keyword.iskeyword(class_name) and (master is None or is_declarable(master))
    return False


def find_table(text: str, tables: Collection[TableName], *, schema: str) -> TableName:
    """The table of a schema that `text` names.

    `text` is the name in PostgreSQL, with or without its tier's mark, or that of the class that declares
    such a table, a part's with its master's.

    Raises `UnknownTableError`, with the closest name, or `MissingTableError` where several tables could be
    meant.

    >>> lab = [TableName("lab", name) for name in ("#species", "q_c_run", "q_c_run__wire")]
    >>> [find_table(text, lab, schema="lab").table for text in ("Species", "species", "QCRun.Wire")]
    ['#species', '#species', 'q_c_run__wire']
    """
    own = [name for name in tables if name.schema == schema]
    for name in own:
        if name.table == text:
            return name
    body = "__".join(snake_case(piece) for piece in text.split("."))
    found = sorted(name for name in own if name.table.lstrip("_#") in (text, body) or name.class_path == text)
    if len(found) > 1:
        listed = ", ".join(repr(name.table) for name in found)
        raise MissingTableError(
            f"{text!r} in schema {schema!r} could be any of {listed}. Name it as in PostgreSQL."
        )
    return found[0] if found else _by_class_name(text, class_names(own), schema)


def _by_class_name(text: str, names: Mapping[TableName, str], schema: str) -> TableName:
    for name, path in names.items():
        if path == text:
            return name
    raise UnknownTableError(text, (*names.values(), *(name.table for name in names)), schema=schema)


def _identifier(body: str) -> str:
    # As Python reads names: a ligature and its letters are the same to it.
    body = unicodedata.normalize("NFKC", body)
    pieces = "".join(c if f"a{c}".isidentifier() else "_" for c in body)
    name = unicodedata.normalize("NFKC", camel_case(re.sub("_+", "_", pieces).strip("_")))
    if not name.isidentifier():
        name = f"T{name}"
    return f"{name}_" if keyword.iskeyword(name) else name


def _free(path: str, taken: Collection[str]) -> str:
    return path if path not in taken else next(p for n in count(2) if (p := f"{path}_{n}") not in taken)
