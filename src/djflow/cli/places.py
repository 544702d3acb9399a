"""Where a command finds its tables: in schemas of the database, or in modules that declare them."""

import argparse
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from djflow.errors import DefinitionError, DjflowError, InvalidArgumentError, did_you_mean

if TYPE_CHECKING:
    from djflow.model.names import TableName
    from djflow.pipeline.tiers import AutoPopulated
    from djflow.relation.database import Database
    from djflow.tables.declared import Table
    from djflow.tables.schema import Schema


@dataclass(frozen=True, slots=True)
class Place:
    """The tables of a schema, by the names of their classes; `aliases` are other names of the place."""

    schema: str
    tables: "Mapping[str, Table]"
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Places:
    """What a command may name, in one database."""

    database: "Database"
    places: tuple[Place, ...]

    def table(self, name: str) -> "Table":
        """The table of a name: `Session`, `Session.Trial`, `lab.Session`.

        Raises `InvalidArgumentError` where there is none, or several.
        """
        named = self._named()
        fitting = named.get(name, ())
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            schemas = ", ".join(f"{table.table_model.name.schema}.{name}" for table in fitting)
            raise InvalidArgumentError(f"{name!r} may be {schemas}.").suggest(
                "Write the schema before it, or choose one with --schema."
            )
        if any(name in (place.schema, *place.aliases) for place in self.places):
            raise InvalidArgumentError(f"{name!r} is a schema; name a table of it, as in {name}.Session.")
        where = ", ".join(place.schema for place in self.places) or "a database without tables"
        raise InvalidArgumentError(
            f"There is no table {name!r} in {where}.{did_you_mean(name, list(named))}"
        ).suggest("Names of tables are those of their classes; `djflow schema describe` shows them.")

    def _named(self) -> "dict[str, list[Table]]":
        named: dict[str, list[Table]] = {}
        for place in self.places:
            for path, table in place.tables.items():
                for prefix in ("", f"{place.schema}.", *(f"{alias}." for alias in place.aliases)):
                    named.setdefault(prefix + path, []).append(table)
        return named

    def schemas(self) -> "list[Schema]":
        """The schemas of these places, which nothing is declared in by looking."""
        return [of_database(self.database, place.schema) for place in self.places]

    def __iter__(self) -> "Iterator[tuple[str, Table]]":
        """Each table behind its name, which the schema's begins."""
        return (
            (f"{place.schema}.{path}", table) for place in self.places for path, table in place.tables.items()
        )


def chosen(options: argparse.Namespace) -> Places:
    """What `--schema` and `--module` say; without them, all schemas of the database.

    Raises `MissingSchemaError`, `InvalidArgumentError`.
    """
    if options.module:
        return _of_modules(options.module, options.schema)
    from djflow.tables.default import conn

    return _of_schemas(conn(), options.schema)


def auto_populated(places: Places, names: Sequence[str] = ()) -> "list[AutoPopulated]":
    """The tables that `make` fills: those named, by default all, parents first.

    Raises `InvalidArgumentError` for a table of another kind.
    """
    named = [places.table(name) for name in names]
    for table in named:
        if not table.table_model.tier.is_auto_populated:
            raise InvalidArgumentError(f"{table.table_model.name} is not filled by make(): it has no jobs.")
    every = {table.table_model.name: table for _, table in places if table.table_model.tier.is_auto_populated}
    filled = named or [every[name] for name in _parents_first(places.database, every)]
    return _with_make(places.database, filled)


def _parents_first(database: "Database", names: "Collection[TableName]") -> "list[TableName]":
    if not names:
        return []
    try:
        return [model.name for model in database.catalog(name.schema for name in names).in_order(names)]
    except DefinitionError:  # in other people's databases foreign keys may form a cycle
        return sorted(names)


def _with_make(database: "Database", tables: "Sequence[Table]") -> "list[AutoPopulated]":
    """The tables as instances of classes, which are made for those whose own are elsewhere."""
    from djflow.pipeline.tiers import AutoPopulated

    classes = _classes(
        database, {t.table_model.name.schema for t in tables if not isinstance(t, AutoPopulated)}
    )
    found: list[AutoPopulated] = []
    for table in tables:
        whole = table if isinstance(table, AutoPopulated) else classes[table.table_model.name]()
        assert isinstance(whole, AutoPopulated)  # noqa: S101 - the tier in its name says so
        found.append(whole)
    return found


def label(table: "AutoPopulated") -> str:
    """What a command calls a table: the schema, and the name of the class."""
    return f"{table.table_model.name.schema}.{type(table).__name__}"


def of_database(database: "Database", name: str) -> "Schema":
    """A schema as the database has it, in which nothing will be created. Raises `MissingSchemaError`."""
    from djflow.tables.free import check_schema_exists
    from djflow.tables.schema import Schema

    check_schema_exists(database, name)
    return Schema(name, connection=database, create_schema=False, create_tables=False)


def _classes(database: "Database", schemas: Iterable[str]) -> Mapping[Any, "type[Table]"]:
    """Classes for tables that were found in the database, whose own classes are elsewhere."""
    made: dict[str, Any] = {}
    found: dict[Any, type[Table]] = {}
    for name in schemas:
        made.clear()
        of_database(database, name).make_classes(made)
        found |= {cls().table_model.name: cls for cls in made.values() if isinstance(cls, type)}
    return found


def _of_schemas(database: "Database", names: Sequence[str]) -> Places:
    from djflow.definition.class_names import class_names
    from djflow.tables.free import FreeTable, check_schema_exists

    names = list(dict.fromkeys(names))
    for name in names:
        check_schema_exists(database, name)
    catalog = database.catalog(names) if names else database.whole_catalog()
    models = {table.name: table for table in catalog.tables}
    places = []
    for schema in names or sorted({table.schema for table in models}):
        own = {name: model for name, model in models.items() if name.schema == schema}
        paths = class_names(own)
        tables = {paths[name]: FreeTable(database, own[name]) for name in sorted(own, key=paths.__getitem__)}
        places.append(Place(schema, tables))
    return Places(database, tuple(places))


def _of_modules(modules: Sequence[str], schemas: Sequence[str]) -> Places:
    from djflow.cli.populating import found

    held = [schema for module in found(modules) for schema in schemas_of(module)]
    held = [schema for schema in dict.fromkeys(held) if not schemas or schema.database in schemas]
    if not held:
        raise InvalidArgumentError(f"No tables are declared in {', '.join(modules)}.")
    if any(schema.connection is not held[0].connection for schema in held):
        raise DjflowError("The modules declare tables of several databases: name those of one.")
    for schema in held:
        schema.create()
    return Places(held[0].connection, tuple(map(_declared, held)))


def schemas_of(module: ModuleType) -> "list[Schema]":
    """The schemas of a module, or those of the classes that it has."""
    from djflow.tables.declared import Table
    from djflow.tables.schema import Schema

    values = list(vars(module).values()) if isinstance(module, ModuleType) else [module]
    schemas = [value for value in values if isinstance(value, Schema) and value.is_activated()]
    classes = [value for value in values if isinstance(value, type) and issubclass(value, Table)]
    declared = [cls.__djflow_schema__ for cls in classes if cls.__djflow_schema__ is not None]
    return list(dict.fromkeys(schemas or declared))


def _declared(schema: "Schema") -> Place:
    classes = list(schema.registry)
    modules = {cls.__module__.rpartition(".")[2] for cls in classes}
    aliases = tuple(sorted(modules - {schema.database}))
    return Place(schema.database, {_path(cls): cls() for cls in classes}, aliases)


def _path(cls: "type[Table]") -> str:
    master = getattr(cls, "master", None)
    return cls.__name__ if master is None else f"{master.__name__}.{cls.__name__}"
