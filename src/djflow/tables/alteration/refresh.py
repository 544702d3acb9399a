"""After an alteration, classes know their tables as they are."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, nullcontext
from typing import TYPE_CHECKING

from djflow.backend.introspect import introspect
from djflow.errors import DjflowError
from djflow.model.catalog import Catalog
from djflow.model.table import Table as TableModel
from djflow.relation.database import Database
from djflow.tables.alteration.prepare import Prepared
from djflow.tables.alteration.wanted import wanted_tables
from djflow.tables.rights import grants, ownership

if TYPE_CHECKING:
    from djflow.tables.declared import Table


def insert_contents(ready: Prepared, classes: Iterable[type["Table"]]) -> None:
    """Fill new lookup tables, before anything refers to them."""
    created = {table.name: table for table in ready.target.created}
    with ExitStack() as stack:
        for schema in {cls.__djflow_schema__ for cls in classes}:
            stack.enter_context(schema.creating() if schema is not None else nullcontext())
        for cls in classes:
            name = cls().table_model.name
            if name in created:
                _set_model(cls, created[name])
                if contents := getattr(cls(), "contents", ()):
                    cls().insert(contents)


def settle(database: Database, ready: Prepared, classes: Sequence[type["Table"]]) -> None:
    """Have classes know their tables as they are, and lookup tables what was added to their contents."""
    created = [table.name for table in ready.target.created]
    names = {*ready.tables, *created}
    session = database.session
    ownership.extend(session, created)
    catalog = introspect(session.connection, sorted({name.schema for name in names}))
    for cls in classes_of(database):
        model = cls.__djflow_table__
        if model is not None and model.name in names and model.name in catalog:
            _set_model(cls, catalog[model.name].ordered_like(_defined(cls, catalog) or model))
    for schema in dict.fromkeys(cls.__djflow_schema__ for cls in classes):
        if schema is not None:
            grants.extend(session, schema.database, [n for n in created if n.schema == schema.database])
            schema.settle_altered({cls().table_model.name for cls in classes})


def _defined(cls: type["Table"], catalog: Catalog) -> TableModel | None:
    """The table as the class's definition says, where it can be read without the names given to `alter`."""
    try:
        [wanted] = wanted_tables([cls], {}, None).values()
        return wanted.bound({table.name: table for table in catalog.tables}.get)
    except DjflowError:
        return None


def _set_model(cls: type["Table"], model: TableModel) -> None:
    """Give a class its model; a rollback takes it back."""
    before, schema = cls.__djflow_table__, cls.__djflow_schema__
    cls.__djflow_table__ = model
    if schema is not None:
        schema.connection.session.after_rollback(lambda: setattr(cls, "__djflow_table__", before))


def classes_of(database: Database) -> Iterator[type["Table"]]:
    """The classes that were declared for tables of a database, wherever."""
    from djflow.tables.declared import Table

    waiting: list[type[Table]] = [Table]
    while waiting:
        cls = waiting.pop()
        waiting += cls.__subclasses__()
        schema = cls.__djflow_schema__
        if schema is not None and "__djflow_table__" in vars(cls) and schema.connection is database:
            yield cls
