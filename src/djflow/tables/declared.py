"""Classes that declare tables: what they share, and how the class itself acts as a query."""

from collections.abc import Mapping
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NoReturn, TypeAlias, TypeVar

from djflow.definition import render, unbind
from djflow.display.definitions import Definition
from djflow.errors import DjflowError
from djflow.model.names import TableName, Tier
from djflow.model.table import Heading
from djflow.model.table import Table as TableModel
from djflow.planner.memo import memoised
from djflow.planner.nodes import Node, Scan
from djflow.relation import habits
from djflow.relation.conditions import Not
from djflow.relation.database import Database
from djflow.relation.on_class import class_property, on_class
from djflow.relation.preview import Look
from djflow.relation.relation import Relation
from djflow.sql.identifiers import qualified
from djflow.tables import deletion, update, validation, write
from djflow.tables.objects.moves import MovesObjects

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    import polars as pl

    from djflow.tables.alteration.plan import AlterationPlan
    from djflow.tables.schema import Schema
    from djflow.tables.staged import StagedInsert

T = TypeVar("T")
OnConflict: TypeAlias = Literal["error", "skip", "update", "match"]

# What a class offers without being instantiated: `Subject.proj()` means `Subject().proj()`.
_INSTANCE_NAMES: Final = frozenset(
    {name for name in vars(Relation) if not name.startswith("_")}
    | {"insert", "insert1", "describe", "table_name", "full_table_name", "populate", "progress", "key_source"}
    | {"jobs", "reads"}
    | {
        "_repr_html_",
        "_repr_mimebundle_",
        "__arrow_c_stream__",
        "alter",
        "delete",
        "delete_quick",
        "drop",
        "update1",
        "validate",
    }
    | {"copy_objects", "move_objects", "staged_insert1", "verify"}
)


class TableMeta(type):
    """Lets a class of tables be used as a query: `Session & Subject`, `len(Session)`."""

    def __and__(cls: type[T], condition: Any) -> T:
        return _restricted(cls, condition)

    def __sub__(cls: type[T], condition: Any) -> T:
        return _restricted(cls, Not(condition))

    def __lshift__(cls: type[T], ancestor: Any) -> T:
        return _restricted_by(cls, ancestor, "up")

    def __rshift__(cls: type[T], descendant: Any) -> T:
        return _restricted_by(cls, descendant, "down")

    def __mul__(cls, other: Any) -> Relation:
        return _instance(cls).join(other)

    def __rmul__(cls, other: Any) -> Relation:
        return _instance(cls).__rmul__(other)

    __array_ufunc__ = None
    __pandas_priority__ = 10_000

    def __or__(cls, _other: Any) -> NoReturn:
        habits.refuse_or()

    def __ror__(cls, _other: Any) -> NoReturn:
        habits.refuse_or()

    def __getitem__(cls, item: Any) -> NoReturn:
        habits.refuse_item(cls.__name__, item)

    if not TYPE_CHECKING:  # type checkers know the names there are

        def __getattribute__(cls, name: str) -> Any:
            if name in _INSTANCE_NAMES and type.__getattribute__(cls, "__djflow_table__") is not None:
                return getattr(cls(), name)
            found = super().__getattribute__(name)
            if name in _INSTANCE_NAMES and "definition" in vars(cls) and isinstance(found, FunctionType):
                return found.__get__(cls())  # nobody decorated the class: the call says so
            return found

        def __getattr__(cls, name: str) -> NoReturn:
            raise habits.missing(cls.__name__, name, lambda: _names(cls))

    def __add__(cls, other: Any) -> Relation:
        return _instance(cls).union(other)

    def __len__(cls) -> int:
        return len(_instance(cls))

    def __bool__(cls) -> bool:
        return True  # a class is never empty; ask bool(Subject()) about rows

    def __iter__(cls) -> Any:
        return iter(_instance(cls))

    def __contains__(cls, condition: Any) -> bool:
        return condition in _instance(cls)


def _names(cls: type) -> tuple[str, ...]:
    model: TableModel | None = cls.__dict__.get("__djflow_table__")
    return () if model is None else model.heading.names


_scan: Final = memoised(Scan)


def _instance(cls: type) -> Relation:
    instance = cls()
    assert isinstance(instance, Relation)  # noqa: S101 - the metaclass serves tables only
    return instance


def _restricted(cls: type[T], condition: Any) -> T:
    instance = cls()
    assert isinstance(instance, Relation)  # noqa: S101 - as above
    return instance.restrict(condition)


def _restricted_by(cls: type[T], other: Any, direction: Literal["up", "down"]) -> T:
    instance = cls()
    assert isinstance(instance, Relation)  # noqa: S101 - as above
    return instance.restrict_by(other, direction=direction)


class Table(Relation, MovesObjects, metaclass=TableMeta):
    """Base of the tiers. Subclass a tier, give it a `definition`, and decorate it with a schema."""

    definition: ClassVar[str]
    tier: ClassVar[Tier | None] = None
    __djflow_table__: ClassVar[TableModel | None] = None
    __djflow_schema__: ClassVar["Schema | None"] = None
    __djflow_parents__: ClassVar[Mapping[str, type["Table"]]] = {}  # by reference, as when it was declared
    _plan: Node | None = None  # type: ignore[assignment]  # a whole table reads its model when asked

    def __init__(self) -> None:
        """A query for all rows of the table."""

    @property
    def table_model(self) -> TableModel:
        """The table as declared, or as the database has it once it is created."""
        model = type(self).__djflow_table__
        if model is None:
            raise DjflowError(
                f"{type(self).__name__} belongs to no schema. "
                "Decorate it: schema = djflow.Schema('name'), then @schema."
            )
        return model

    @class_property
    def logical_plan(self) -> Node:
        """All rows of the table, or those that conditions left."""
        return _scan(self.table_model) if self._plan is None else self._plan

    @class_property
    def connection(self) -> Database:
        """The database of the table's schema."""
        schema = type(self).__djflow_schema__
        if schema is None:
            self._unbound()
        return schema.connection

    def _unbound(self) -> NoReturn:
        _ = self.table_model
        raise AssertionError  # pragma: no cover - the line above raises

    # names

    @class_property
    def table_name(self) -> str:
        """The name in PostgreSQL, without the schema."""
        return self.table_model.name.table

    @class_property
    def full_table_name(self) -> str:
        """The quoted name in PostgreSQL."""
        return qualified(self.table_model.name)

    @class_property
    def heading(self) -> Heading:
        """The attributes, primary key first."""
        return self.table_model.heading

    @on_class
    def describe(self) -> str:
        """The definition that declares this table, as it is in the database; notebooks colour it."""
        own = self.table_model.name

        def class_path(name: TableName) -> str:
            return name.class_path if name.schema == own.schema else f"{name.schema}.{name.class_path}"

        return Definition(render(unbind(self.table_model, class_path=class_path)))

    def _look(self) -> Look:
        found = super()._look()
        if not found.grid.headers:
            return found
        model = self.table_model
        about = f"{model.name.tier}, {model.comment}" if model.comment else str(model.name.tier)
        return found.titled(f"{model.name.schema}.{model.name.class_path}", about)

    # rows in

    @on_class
    def insert(
        self,
        rows: Any,
        replace: bool = False,  # noqa: FBT001, FBT002 - documented
        skip_duplicates: bool = False,  # noqa: FBT001, FBT002 - documented
        ignore_extra_fields: bool = False,  # noqa: FBT001, FBT002 - documented
        allow_direct_insert: bool | None = None,  # noqa: FBT001 - documented
        chunk_size: int | None = None,
        on_conflict: OnConflict | None = None,
    ) -> None:
        """Insert rows.

        Sources are dicts, sequences, frames, Arrow data, numpy records, CSV or Parquet paths, generators of
        rows or of frames, Dask frames and delayed ones, and queries.

        All rows go in, or none: with `chunk_size`, all of a chunk or none of it.
        `on_conflict` says what becomes of rows whose primary key exists: "error" (the default) refuses them,
        "skip" (as `skip_duplicates`) leaves the existing ones as they are, "update" (as `replace`) turns them
        into the given ones, and "match" skips those that are equal in all given columns and refuses others.

        Raises `DuplicateError`, `ConflictError`, `IntegrityError`, `MissingAttributeError`,
        `UnknownAttributeError` or `DataTypeError`, which tells row, column, value and expected type.
        """
        options = write.InsertOptions(
            on_conflict=write.on_conflict(on_conflict, replace=replace, skip_duplicates=skip_duplicates),
            ignore_extra_fields=ignore_extra_fields,
            chunk_size=chunk_size,
        )
        write.check_permitted(self.table_model, allow_direct_insert=bool(allow_direct_insert))
        self.connection.ensure_declared([self.table_model])
        write.insert(self.table_model, rows, self.connection, options)

    @on_class
    def insert1(self, /, row: Any, **options: Any) -> None:
        """Insert one row; options as for `insert`."""
        self.insert((row,), **options)

    @class_property
    def staged_insert1(self) -> "AbstractContextManager[StagedInsert]":
        """A block that inserts one row, whose objects grow in their stores meanwhile.

        `with Session.staged_insert1 as staged:` gives `staged.rec`, a dict for the row's values, and methods
        that begin objects, such as `staged.zarr("frames", shape=(0, 512, 512), dtype="u2")`. The primary key
        comes before the first object. The row is inserted when the block ends; where it raises anything, the
        objects are removed, and there is no row.
        """
        from djflow.tables.staged import staged_insert1

        return staged_insert1(self.table_model, self.connection)

    @on_class
    def validate(
        self, rows: Any, *, ignore_extra_fields: bool = False, database: bool = False
    ) -> validation.ValidationResult:
        """Everything that `insert` would refuse in these rows, at once; nothing is written.

        Sources are those of `insert`; a generator is consumed. Needs no server, unless `database` asks for
        what only it knows: parents that do not exist, keys that do, values that must be unique.
        """
        return validation.validate(
            self.table_model,
            rows,
            self.connection,
            ignore_extra_fields=ignore_extra_fields,
            ask_server=database,
        )

    @on_class
    def update1(self, row: Mapping[str, Any]) -> None:
        """Change attributes of one row, found by its whole primary key; None resets one to its default.

        For corrections: what was computed from the row stays as it is. Where that matters, delete the row,
        insert it anew and populate again.

        Raises `MissingRowError` where no row has the key, `MissingAttributeError` for an incomplete key, and
        as `insert` does for the values.
        """
        if self._plan is not None:
            raise update.refuse_restricted(self.table_model)
        self.connection.ensure([self.table_model])
        update.update_one(self.table_model, row, self.connection)

    @on_class
    def verify(self) -> "pl.DataFrame":
        """What is wrong with the objects to which the rows refer; no rows where all is well.

        Each object must be in its store and have the size, the number of files, the checksum or the hash
        that its row tells; those of arrays are read whole for it, several at a time. Columns: the primary
        key, then `attribute`, `store`, `path`, `problem` ("missing", "corrupt" or "unreadable"), `detail`.
        """
        from djflow.tables.objects.verify import verify

        return verify(self.logical_plan, self.connection)

    # rows out of the table

    @on_class
    def delete(
        self,
        transaction: bool = True,  # noqa: FBT001, FBT002, ARG002 - documented
        prompt: bool | None = None,  # noqa: FBT001 - documented
        part_integrity: str = "enforce",
        archive: "str | Path | None" = None,
    ) -> int:
        """Delete the rows, and in all tables of the database whatever depends on them: all, or nothing.

        Returns how many rows of this table are gone. Shows the numbers of rows and asks first where
        somebody can answer, as the setting `safemode` and `prompt` say.

        `part_integrity` tells what happens to a master of which parts would go without it: `"enforce"`
        refuses, `"cascade"` deletes the master too, `"ignore"` leaves it. `archive` is the path of a folder
        that keeps what is deleted; `dj.restore(path)` puts it back. A delete is always one transaction,
        and part of the one around it if there is one: `transaction` is accepted and changes nothing.

        Raises `PartIntegrityError`, `AccessError`, `OwnershipError`, or `ValueError` for a policy that
        does not exist.
        """
        return deletion.delete(self, prompt=prompt, part_integrity=part_integrity, archive=archive)

    @on_class
    def delete_quick(self, get_count: bool = False) -> int | None:  # noqa: FBT001, FBT002 - documented
        """Delete the rows alone, without asking. With `get_count`, returns how many they were.

        Raises `IntegrityError` where other rows depend on them; then nothing is deleted.
        """
        return deletion.delete_quick(self, get_count=get_count)

    @on_class
    def drop(self, prompt: bool | None = None, part_integrity: str = "enforce") -> None:  # noqa: FBT001 - documented
        """Drop the table with its parts and all tables that depend on it, rows included.

        Shows the tables and their numbers of rows and asks first where somebody can answer, as the
        setting `safemode` and `prompt` say. `schema.create()` creates them again.

        Raises `PartIntegrityError` for parts whose master stays, unless `part_integrity` is "ignore".
        """
        deletion.drop(self, prompt=prompt, part_integrity=part_integrity)

    # the table itself

    @on_class
    def alter(
        self,
        prompt: bool | None = None,  # noqa: FBT001 - documented
        *,
        plan: bool = False,
        allow_loss: bool = False,
        renames: Mapping[str, str] | None = None,
        fill: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
        lock_timeout: float = 10.0,
    ) -> "AlterationPlan | None":
        """Change the table, and its parts, to what the class's definition says; rows stay.

        With `plan`, returns what would be done and does nothing. Otherwise prints it, asks first where
        somebody can answer (as the setting `safemode` and `prompt` say), and does it in one transaction. An
        altered primary key takes along all tables that inherit it, in other schemas too.

        `renames` maps names of attributes, old to new, which keep their values; `fill` gives values to rows
        that have none, for new and newly required attributes; a part's are written `"Part.attribute"`.
        What would lose data is refused unless `allow_loss`. `context` adds names that the definition refers
        to. `lock_timeout` is how many seconds to wait for others who use the tables.

        Raises `AlterationError` with all problems, and `DefinitionError`.
        """
        from djflow.tables.alteration.of_table import alter_table

        return alter_table(
            self,
            {"renames": renames, "fill": fill, "context": context},
            plan=plan,
            prompt=prompt,
            allow_loss=allow_loss,
            lock_timeout=lock_timeout,
        )
