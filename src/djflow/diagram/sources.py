"""What a diagram can be made of: schemas, tables, queries over one table, and modules that hold these."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from djflow.errors import InvalidArgumentError, QueryError
from djflow.model.catalog import Catalog
from djflow.model.names import TableName
from djflow.planner.distant import base_table
from djflow.relation.database import Database
from djflow.relation.relation import Relation
from djflow.tables.declared import Table
from djflow.tables.registry import classes_of
from djflow.tables.schema import Schema


@dataclass(frozen=True, slots=True)
class Source:
    """Whole schemas and single tables of one database; `labels` are what users call some tables."""

    database: Database
    schemas: frozenset[str] = frozenset()
    tables: frozenset[TableName] = frozenset()
    labels: Mapping[TableName, str] = field(default_factory=dict)

    def names(self, catalog: Catalog) -> frozenset[TableName]:
        """The tables meant, as far as the database has them."""
        whole = (table.name for table in catalog.tables if table.name.schema in self.schemas)
        return frozenset((*whole, *(name for name in self.tables if name in catalog)))

    def ensure(self) -> None:
        """Have what is declared in the schemas meant created."""
        self.database.ensure_schemas({*self.schemas, *(name.schema for name in self.tables)})


def source_of(given: Any, context: Mapping[str, Any] | None = None) -> Source:
    """What somebody wants a diagram of; names of table classes in the context are labels.

    Raises `InvalidArgumentError` for what no diagram can be made of.
    """
    found = _module(given) if isinstance(given, ModuleType) else _single(given)
    if found is None:
        raise InvalidArgumentError(_refusal(given))
    return Source(found.database, found.schemas, found.tables, {**found.labels, **_labels(context or {})})


def _single(given: Any) -> Source | None:
    if isinstance(given, Schema):
        return Source(given.connection, schemas=frozenset({given.database}))
    relation = as_relation(given)
    if relation is None:
        return None
    return Source(relation.connection, tables=frozenset({base_table(relation.logical_plan).name}))


def as_relation(given: Any) -> Relation | None:
    """A query as it is, an instance for a class of tables, None for anything else."""
    if isinstance(given, type) and issubclass(given, Table):
        return given()
    return given if isinstance(given, Relation) else None


def seed(expression: Any) -> Relation:
    """A query, given as such or as a class. Raises `InvalidArgumentError` for anything else."""
    relation = as_relation(expression)
    if relation is None:
        raise InvalidArgumentError(
            f"Rows are given by a query over one table, such as Session & condition, not by "
            f"{type(expression).__name__}."
        )
    relation.connection.ensure(relation.logical_plan.tables)
    return relation


def titles(database: Database) -> dict[str, str]:
    """What programmers call schemas: the modules with their classes, as far as each has one of its own."""
    modules: dict[str, set[str]] = defaultdict(set)
    for name, cls in classes_of(database).items():
        modules[name.schema].add(cls.__module__)
    single = {schema: found.pop() for schema, found in modules.items() if len(found) == 1}
    sharing = Counter(single.values())
    return {
        schema: module.rpartition(".")[2]
        for schema, module in single.items()
        if sharing[module] == 1 and module != "__main__"
    }


def _module(module: ModuleType) -> Source | None:
    found = [source for source in map(_single, _held(module)) if source is not None]
    if not found:
        return None
    if any(source.database is not found[0].database for source in found):
        raise QueryError(
            f"The module {module.__name__} holds tables of several databases; a diagram is of one."
        )
    return Source(
        found[0].database,
        frozenset().union(*(source.schemas for source in found)),
        frozenset().union(*(source.tables for source in found)),
    )


def _held(module: ModuleType) -> list[Any]:
    """The schemas of a module; where there is none, its classes of tables and their parts."""
    values = list(vars(module).values())
    schemas = [value for value in values if isinstance(value, Schema) and value.is_activated()]
    if schemas:
        return schemas
    classes = [value for value in values if _is_declared(value)]
    return [*classes, *(part for cls in classes for part in vars(cls).values() if _is_declared(part))]


def _is_declared(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Table) and value.__djflow_table__ is not None


def _labels(context: Mapping[str, Any]) -> dict[TableName, str]:
    return {value().table_model.name: name for name, value in context.items() if _is_declared(value)}


def _refusal(given: Any) -> str:
    if isinstance(given, str):
        return f"A diagram is made of a schema, not its name: dj.Diagram(dj.Schema({given!r}))."
    if isinstance(given, ModuleType):
        return f"The module {given.__name__} holds no schema and no table with a schema."
    if isinstance(given, Iterable) and not isinstance(given, type):
        return "For several sources write dj.Diagram.from_sequence([...])."
    return (
        f"Cannot make a diagram of {type(given).__name__}. Give a schema, a table or its class, "
        "a query over one table, a module, or another diagram."
    )
