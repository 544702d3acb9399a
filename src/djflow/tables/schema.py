"""Schemas: where classes are declared, and what makes their tables exist."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from threading import get_ident
from typing import TYPE_CHECKING, Any, TypeVar

from djflow.backend.introspect import introspect
from djflow.definition import bind, located, parse
from djflow.definition.module_order import dependency_order
from djflow.errors import AccessError, DefinitionError, DjflowError
from djflow.model.catalog import Catalog
from djflow.model.names import TableName, Tier, table_name
from djflow.model.table import Table as TableModel
from djflow.relation.database import Database
from djflow.sql.ddl import drop_schema
from djflow.storage.codec import resolve_dtype
from djflow.storage.referring import refers
from djflow.tables.alteration.of_schema import Alteration
from djflow.tables.archiving import Archiving
from djflow.tables.arguments import check_connection, check_mapping, check_schema_name
from djflow.tables.declare import declare, schema_exists
from djflow.tables.declared import Table
from djflow.tables.default import conn, require_shared_state
from djflow.tables.linking import importing_module
from djflow.tables.objects.dropping import remaining_objects
from djflow.tables.objects.journal import create_record
from djflow.tables.prompt import asks, confirmed
from djflow.tables.registry import Registry, parts_of, register
from djflow.tables.resolve import declaration_context, find_class
from djflow.tables.rights import grants
from djflow.tables.rights.administration import Administration
from djflow.tables.tiers import Part

if TYPE_CHECKING:
    import polars as pl
from djflow.tables.virtual.access import WithoutClasses

C = TypeVar("C", bound=type)

_DEPENDENTS = """
SELECT DISTINCT child.nspname || '.' || t.relname
FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_class t ON t.oid = c.conrelid
JOIN pg_catalog.pg_namespace child ON child.oid = t.relnamespace
JOIN pg_catalog.pg_class p ON p.oid = c.confrelid
JOIN pg_catalog.pg_namespace parent ON parent.oid = p.relnamespace
WHERE c.contype = 'f' AND parent.nspname = $1 AND child.nspname <> $1 ORDER BY 1
"""


class Schema(Administration, Alteration, Archiving, WithoutClasses):
    """A group of tables, named as in PostgreSQL; decorates the classes that declare them.

    Neither making a schema nor decorating classes needs a server: tables are created in
    dependency order when the first of them is used, or by `create()`.

    Without a name, tables wait until `activate(name)`. `context` and `add_objects` are names that definitions
    may refer to.
    """

    def __init__(
        self,
        schema_name: str | None = None,
        context: Mapping[str, Any] | None = None,
        *,
        connection: Database | None = None,
        create_schema: bool = True,
        create_tables: bool | None = None,
        add_objects: Mapping[str, Any] | None = None,
    ) -> None:
        if connection is None:
            require_shared_state("dj.Schema() without a connection")
        else:
            check_connection(connection)
        check_mapping("context", context, "{'Session': Session}")
        check_mapping("add_objects", add_objects, "{'Session': Session}")
        self._name: str | None = None
        self._context = {**(context or {}), **(add_objects or {})}
        self.linked_in: str | None = None  # the module whose import has named it by `activate`
        self._database = connection
        self._create_schema, self._create_tables = create_schema, create_tables
        self._waiting: list[tuple[type[Table], dict[str, Any]]] = []
        self.registry: Registry = Registry()
        self._undeclared: list[type[Table]] = []
        self._creating: set[int] = set()  # the threads that do
        self._refused: set[TableName] = set()
        self._catalog = Catalog()
        if schema_name is not None:
            self._take_name(schema_name)

    def _take_name(self, name: str) -> None:
        check_schema_name(name)
        self._name = name
        self.connection.register(name, self._ensure)
        register(self.connection, self.registry)

    # what it is

    @property
    def database(self) -> str:
        """The schema's name. Raises `DjflowError` before activation."""
        if self._name is None:
            raise DjflowError("The schema has no name yet: call schema.activate('name').")
        return self._name

    @property
    def connection(self) -> Database:
        """The database that holds the schema."""
        if self._database is None:
            self._database = conn()
        return self._database

    @property
    def transaction(self) -> AbstractContextManager[None]:
        """A block whose writes commit together or not at all, as `schema.connection.transaction`."""
        return self.connection.transaction

    def __repr__(self) -> str:
        return f"Schema({self._name!r})" if self._name else "Schema(not activated)"

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        from djflow.tables.overview import bundle

        return bundle(self)

    def _repr_html_(self) -> str:
        return self._repr_mimebundle_()["text/html"]

    def is_activated(self) -> bool:
        """Whether the schema has a name."""
        return self._name is not None

    @property
    def exists(self) -> bool:
        """Whether the database has the schema."""
        return schema_exists(self.connection.session, self.database)

    # declaring

    def __call__(self, cls: C, *, context: Mapping[str, Any] | None = None) -> C:
        """Declare a class. Raises `DefinitionError` for a mistake in its definition."""
        if not (isinstance(cls, type) and issubclass(cls, Table)):
            raise DjflowError(
                f"@schema decorates classes of tables, not {cls!r}. Derive it from Manual, Computed, ..."
            )
        if issubclass(cls, Part):
            raise DjflowError(f"The part {cls.__name__} is declared with its master; do not decorate it.")
        if cls.tier is None:
            raise DjflowError(
                f"{cls.__name__} has no tier. Derive it from Manual, Lookup, Imported or Computed."
            )
        names = {**declaration_context(cls, 2), **self._context, **(context or {})}
        if self._name is None:
            self._waiting.append((cls, names))
        else:
            self._bind(cls, names)
        return cls

    def _bind(self, cls: type[Table], context: Mapping[str, Any]) -> None:
        assert cls.tier is not None  # noqa: S101 - checked when decorated
        name = table_name(self.database, cls.__name__, cls.tier)
        bound = [cls, *parts_of(cls)]
        before = [(each, each.__djflow_schema__, each.__djflow_table__) for each in bound]
        try:
            cls.__djflow_schema__, cls.__djflow_table__ = self, self._model(cls, name, context)
            for part in parts_of(cls):
                self._bind_part(part, cls, name, context)
        except BaseException:
            for each, schema, table in before:
                each.__djflow_schema__, each.__djflow_table__ = schema, table
            raise
        replaced = self.registry.add(cls)
        self._undeclared = [each for each in self._undeclared if each not in replaced] + bound

    def _bind_part(
        self, part: type[Part], master: type[Table], name: TableName, context: Mapping[str, Any]
    ) -> None:
        part.master = master
        own = table_name(self.database, part.__name__, Tier.PART, name)
        visible = {**context, **vars(master), master.__name__: master, "master": master}
        part.__djflow_schema__, part.__djflow_table__ = self, self._model(part, own, visible)

    def _model(self, cls: type[Table], name: TableName, context: Mapping[str, Any]) -> TableModel:
        parents: dict[str, type[Table]] = {}

        def resolve(reference: str) -> TableModel:
            parent = parents[reference] = find_class(reference, context, self.registry.by_name)
            self._check_same_database(parent, reference)
            model = parent.__djflow_table__
            assert model is not None  # noqa: S101 - find_class checked
            return model

        model = self.bound(cls, name, resolve)
        cls.__djflow_parents__ = parents
        return model

    def _check_same_database(self, parent: type[Table], reference: str) -> None:
        other = parent.__djflow_schema__
        if other is None or other.connection is self.connection:
            return
        if other.connection.settings.database != self.connection.settings.database:
            raise DefinitionError(
                f"`-> {reference}` refers to a table of another database.",
                hint="Foreign keys stay within one: declare both with the same connection or instance.",
            )

    def bound(self, cls: type[Table], name: TableName, resolve: Callable[[str], TableModel]) -> TableModel:
        """What the definition of a class means where `resolve` finds the tables that it refers to.

        Raises `DefinitionError`.
        """
        text = cls.__dict__.get("definition", getattr(cls, "definition", None))
        if not isinstance(text, str):
            raise DefinitionError(
                f"{cls.__name__} has no definition.", hint='Write definition = """...""" in the class.'
            )
        jobs = self.connection.settings.jobs
        try:
            return bind(
                parse(text),
                name,
                resolve=resolve,
                codec_dtype=resolve_dtype,
                job_metadata=_chosen(cls, "job_metadata", jobs.add_job_metadata),
                allow_new_key=_chosen(cls, "allow_new_key", jobs.allow_new_pk_fields_in_computed_tables),
            )
        except DefinitionError as error:
            raise located(error, text).suggest(f"In the definition of {cls.__qualname__}.") from None

    # creating

    def activate(
        self,
        schema_name: str | None = None,
        *,
        connection: Database | None = None,
        create_schema: bool | None = None,
        create_tables: bool | None = None,
        add_objects: Mapping[str, Any] | None = None,
    ) -> None:
        """Give the schema its name, if it has none, and create its tables.

        `add_objects` are further names that the definitions of waiting classes may refer to: with them, a
        module of tables is linked to those of a project. Done where a module is imported, it is done in
        worker processes, too. Raises `DjflowError` for a schema that has another name.
        """
        check_mapping("add_objects", add_objects, "{'Session': Session}")
        if connection is not None:
            self._database = connection
        if create_schema is not None:
            self._create_schema = create_schema
        if create_tables is not None:
            self._create_tables = create_tables
        if schema_name is not None and self._name is None:
            self._take_name(schema_name)
            self.linked_in = importing_module()
        if schema_name is not None and schema_name != self._name:
            raise DjflowError(f"The schema is already activated as {self._name!r}.")
        for cls, context in self._waiting:
            self._bind(cls, {**context, **(add_objects or {})})
        self._waiting.clear()
        self.create()

    def create(self) -> None:
        """Create the schema and those declared tables that do not exist yet, and insert lookup contents.

        Tables that were dropped are created again.
        """
        self._undeclared = list(self.registry)
        self._create_once({cls().table_model.name for cls in self._undeclared})

    def _create_once(self, wanted: Collection[TableName]) -> None:
        if get_ident() not in self._creating:
            with self.creating():
                self._create(wanted)

    @contextmanager
    def creating(self) -> Iterator[None]:
        """While this thread itself creates tables, using one of them creates no others."""
        thread = get_ident()
        self._creating.add(thread)
        try:
            yield
        finally:
            self._creating.discard(thread)

    def _ensure(self, wanted: Collection[TableName] = ()) -> None:
        names = {cls().table_model.name for cls in self._undeclared}
        if not names <= self._refused or not names.isdisjoint(wanted):
            self._create_once(wanted)

    def _create(self, wanted: Collection[TableName]) -> None:
        """Create what is declared. Without the right to do so, only what is wanted must exist."""
        # Several threads may come here at once. None waits for another: the server puts them in order,
        # and would notice if they wait for each other.
        pending = tuple(self._undeclared)
        models = [cls.__djflow_table__ for cls in pending if cls.__djflow_table__ is not None]
        self.connection.ensure_schemas({fk.parent.schema for model in models for fk in model.foreign_keys})
        session = self.connection.session
        try:
            self._catalog, created = declare(
                session,
                self.database,
                models,
                create_schemas=self._create_schema,
                create_tables=self._may_create_tables,
            )
        except AccessError:
            self._catalog, created = introspect(session.connection, [self.database]), frozenset()
            self._refused = {model.name for model in models if model.name not in self._catalog}
            if not self._refused.isdisjoint(wanted):
                raise
            pending = tuple(cls for cls in pending if cls().table_model.name not in self._refused)
        grants.extend(session, self.database, created)
        if created and not session.in_transaction and any(map(_has_objects, models)):
            create_record(session, self.database)  # for those who may insert, and not create
        for cls in pending:
            assert cls.__djflow_table__ is not None  # noqa: S101 - bound when decorated
            cls.__djflow_table__ = self._known(cls.__djflow_table__)
        if self._may_create_tables:
            for cls in pending:
                _insert_contents(cls, is_new=cls().table_model.name in created)
        self._undeclared = [cls for cls in self._undeclared if cls not in pending]
        if session.in_transaction:
            session.after_rollback(lambda: self._undeclared.extend(pending))

    @property
    def _may_create_tables(self) -> bool:
        if self._create_tables is not None:
            return self._create_tables
        return self.connection.settings.database.create_tables

    # looking and removing

    def catalog(self) -> Catalog:
        """All tables of the schema as the database describes them, declared here or not."""
        self._catalog = introspect(self.connection.session.connection, [self.database])
        return self._catalog

    def _reload(self) -> None:
        """Read the tables again, after something changed them."""
        self._catalog = self.catalog()
        for cls in self.registry:
            if cls.__djflow_table__ is not None and cls.__djflow_table__.name in self._catalog:
                cls.__djflow_table__ = self._known(cls.__djflow_table__)

    def _known(self, bound: TableModel) -> TableModel:
        """A table as the database has it, with its attributes in the order of their definition."""
        return self._catalog[bound.name].ordered_like(bound)

    def parent(self, name: TableName) -> TableModel:
        """A table of the schema, or one that its tables refer to, as it was when last created."""
        return self._catalog[name]

    def list_tables(self) -> list[str]:
        """Names of the schema's tables in PostgreSQL, parents first."""
        self._ensure()
        own = [table for table in self.catalog().tables if table.name.schema == self.database]
        return [table.name.table for table in dependency_order(own)]

    def populate(self, *restrictions: Any, **options: Any) -> "pl.DataFrame":
        """Make every key that is missing in the imported and computed tables: see `djflow.Flow.populate`."""
        from djflow.pipeline.flow.flow import Flow

        return Flow(self).populate(*restrictions, **options)

    def drop(self, prompt: bool | None = None) -> None:  # noqa: FBT001 - documented
        """Drop the schema with all tables and rows. Asks first in interactive use, unless `prompt` is False.

        Objects stay in their stores, where `dj.gc` finds them: other rows may refer to them.
        Raises `DjflowError` where tables of another schema depend on it.
        """
        session = self.connection.session
        if not self.exists:
            return
        dependents = [row[0] for row in session.execute(_DEPENDENTS, [self.database])]
        if dependents:
            raise DjflowError(
                f"Other schemas depend on {self.database!r}: {', '.join(dependents)}. Drop them first."
            )
        objects = remaining_objects(session, self.database)
        question = f"Drop schema {self.database!r} with all its tables and rows?{objects}"
        if asks(prompt, safe=self.connection.settings.safemode) and not confirmed(question):
            return
        session.execute(drop_schema(self.database))
        self._undeclared = list(self.registry)

    def note_dropped(self, names: Collection[TableName]) -> None:
        """Have the tables of these names missing until `create` is called."""
        self._undeclared = [cls for cls in self._undeclared if cls().table_model.name not in names]


def _chosen(cls: type[Table], option: str, default: bool) -> bool:  # noqa: FBT001 - a setting's value
    """What the class says about itself, else the setting."""
    return bool(getattr(cls, option, default))


def _has_objects(table: TableModel) -> bool:
    return any(refers(column, if_unknown=False) for column in table.columns)


def _insert_contents(cls: type[Table], *, is_new: bool) -> None:
    contents = getattr(cls(), "contents", ())
    # Whoever may only read a table finds the rows that its owner inserted.
    with nullcontext() if is_new else suppress(AccessError):
        if contents:
            cls().insert(contents, skip_duplicates=True)
