"""The tables of a database, remembered and read again only once something of them has changed.

Two proofs that nothing has, the cheaper one first. No transaction has ended since, anywhere on the server:
then all is as it was. Or the rows of PostgreSQL's catalogue are the same ones, each written by the same
transaction at the same place; what is rolled back leaves no trace there, and so needs no care.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from djflow.backend.catalog_query import in_one_view, is_idle, query
from djflow.backend.introspect import introspect
from djflow.backend.recorded_lineage import lineage_mark
from djflow.model.catalog import Catalog

if TYPE_CHECKING:
    import psycopg

_REMEMBERED: Final = 8
# On a standby the snapshot does not tell which transactions are under way.
_VIEW: Final = """
SELECT pg_current_snapshot()::text, current_user::text, pg_postmaster_start_time(),
  pg_current_xact_id_if_assigned() IS NULL AND NOT pg_is_in_recovery()
"""
# Where a row stands and who wrote it change with the row. Temporary tables come and go, and do not count.
_MARK: Final = """
WITH schemas AS MATERIALIZED (
  SELECT n.oid, hashtidextended(n.ctid, n.xmin::text::bigint) AS mark
  FROM pg_catalog.pg_namespace n
  WHERE CASE WHEN %(schemas)s::text[] IS NULL
             THEN n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
             ELSE n.nspname = ANY (%(schemas)s::text[]) END
), tables AS MATERIALIZED (
  SELECT c.oid, hashtidextended(c.ctid, c.xmin::text::bigint) AS mark
  FROM pg_catalog.pg_class c
  WHERE c.relkind IN ('r', 'p') AND c.relnamespace IN (SELECT oid FROM schemas)
)
SELECT
  (SELECT sum(mark) FROM schemas),
  (SELECT sum(mark) FROM tables),
  (SELECT sum(hashtidextended(ctid, xmin::text::bigint)) FROM pg_catalog.pg_attribute
   WHERE attnum > 0 AND attrelid IN (SELECT oid FROM tables)),
  (SELECT sum(hashtidextended(ctid, xmin::text::bigint)) FROM pg_catalog.pg_attrdef
   WHERE adrelid IN (SELECT oid FROM tables)),
  (SELECT sum(hashtidextended(ctid, xmin::text::bigint)) FROM pg_catalog.pg_constraint
   WHERE contype IN ('p', 'f') AND conrelid IN (SELECT oid FROM tables)),
  (SELECT sum(hashtidextended(ctid, xmin::text::bigint)) FROM pg_catalog.pg_index
   WHERE indrelid IN (SELECT oid FROM tables)),
  (SELECT sum(hashtidextended(ctid, xmin::text::bigint)) FROM pg_catalog.pg_description
   WHERE classoid = 'pg_catalog.pg_class'::regclass AND objoid IN (SELECT oid FROM tables)),
  (SELECT sum(hashtidextended(ctid, xmin::text::bigint)) FROM pg_catalog.pg_type WHERE typtype IN ('d', 'e')),
  (SELECT sum(hashtidextended(ctid, xmin::text::bigint)) FROM pg_catalog.pg_enum)
"""

_Schemas: TypeAlias = tuple[str, ...] | None
_Row: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Remembered:
    """A catalog, and what proves it right: `view` (None proves nothing), and the mark of `covered` schemas.

    `wanted` are the schemas that were asked for; `covered` has those as well that their tables refer to.
    """

    wanted: _Schemas
    catalog: Catalog
    covered: _Schemas
    mark: _Row
    view: _Row | None


class CatalogCache:
    """Remembers a few catalogs of one database. Threads may share it, and a forked process its copy.

    It needs PostgreSQL 14 or newer.
    """

    def __init__(self) -> None:
        # Replaced as a whole, so that no thread waits for another: what one forgets is read again.
        self._known: tuple[_Remembered, ...] = ()

    def catalog(self, connection: "psycopg.Connection[Any]", schemas: Sequence[str] | None = None) -> Catalog:
        """What `introspect` gives for these schemas, by default for all, as the connection sees them now.

        Raises the typed errors.
        """
        wanted = None if schemas is None else tuple(sorted(set(schemas)))
        candidates = [known for known in self._known if known.wanted == wanted]
        view = _view(connection) if candidates else None
        for known in candidates:
            if view is not None and known.view == view:
                return known.catalog
        marks: dict[_Schemas, _Row] = {}
        for known in candidates:
            if known.covered not in marks:
                marks[known.covered] = _mark(connection, known.covered)
            if known.mark == marks[known.covered]:
                self._remember(replace(known, view=view))
                return known.catalog
        return self._read(connection, wanted)

    def _read(self, connection: "psycopg.Connection[Any]", wanted: _Schemas) -> Catalog:
        if not is_idle(connection):
            return self._read_inside(connection, wanted)
        fresh = in_one_view(connection, lambda: _fresh(connection, wanted))
        self._remember(fresh)
        return fresh.catalog

    def _read_inside(self, connection: "psycopg.Connection[Any]", wanted: _Schemas) -> Catalog:
        """Read inside a transaction, where each query may see more than the one before."""
        before = _mark(connection, wanted)
        catalog = introspect(connection, wanted)
        covered = _covered(wanted, catalog)
        if covered != wanted:
            before = _mark(connection, covered)
            catalog = introspect(connection, wanted)
        if _covered(wanted, catalog) == covered and _mark(connection, covered) == before:
            self._remember(_Remembered(wanted, catalog, covered, before, None))
        return catalog

    def _remember(self, fresh: _Remembered) -> None:
        others = (known for known in self._known if (known.wanted, known.mark) != (fresh.wanted, fresh.mark))
        self._known = (fresh, *others)[:_REMEMBERED]


def _fresh(connection: "psycopg.Connection[Any]", wanted: _Schemas) -> _Remembered:
    catalog = introspect(connection, wanted)
    covered = _covered(wanted, catalog)
    return _Remembered(wanted, catalog, covered, _mark(connection, covered), _view(connection))


def _covered(wanted: _Schemas, catalog: Catalog) -> _Schemas:
    if wanted is None:
        return None
    return tuple(sorted({*wanted, *(table.name.schema for table in catalog.tables)}))


def _view(connection: "psycopg.Connection[Any]") -> _Row | None:
    """What the connection sees, or None where the same answer could mean another state another time."""
    [(snapshot, role, started, proves)] = query(connection, _VIEW)
    return (snapshot, role, started) if proves else None


def _mark(connection: "psycopg.Connection[Any]", schemas: _Schemas) -> _Row:
    """Figures that change whenever a catalog of these schemas does."""
    [row] = query(connection, _MARK, schemas=None if schemas is None else list(schemas))
    return (*row, *lineage_mark(connection, schemas))
