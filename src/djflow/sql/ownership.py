"""Statements that let each row of a table belong to the role that inserted it.

Triggers, not policies: a policy makes the server pass over a colleague's rows without a word, and
refuses `COPY`, by which rows go in. A trigger makes the whole statement fail, whoever sends it.
"""

from collections.abc import Iterator
from typing import Final

from djflow.model.names import TableName
from djflow.sql.identifiers import literal, qualified, quote

OWNER_COLUMN: Final = "_owner"
OWNERSHIP_SQLSTATE: Final = "DJ001"
_FUNCTION: Final = "~check_owner"
_PREFIX: Final = "~own_rows"
PROTECTED: Final = f"""
SELECT n.nspname::text, c.relname::text
FROM pg_catalog.pg_trigger g
JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN unnest($1::text[], $2::text[]) AS wanted(schema, tab)
  ON wanted.schema = n.nspname AND wanted.tab = c.relname
WHERE g.tgname = '{_PREFIX}_delete'
"""
"""The query for those among some tables, given by schemas and names, whose rows are protected."""
# All rows that a statement touched are judged at once. One's own, those of roles that one is a member of,
# and all rows of a table that one owns are one's to change.
_BODY: Final = f"""
DECLARE
  owners jsonb;
BEGIN
  IF pg_has_role((SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
    RETURN NULL;
  END IF;
  IF TG_OP = 'INSERT' THEN
    owners := jsonb_build_object(NEW.{OWNER_COLUMN}, 1);
  ELSIF TG_OP = 'TRUNCATE' THEN
    EXECUTE format('SELECT jsonb_object_agg(o.who, o.n) FROM (SELECT {OWNER_COLUMN} AS who, count(*) AS n'
      ' FROM %I.%I GROUP BY 1) o', TG_TABLE_SCHEMA, TG_TABLE_NAME) INTO owners;
  ELSE
    SELECT jsonb_object_agg(o.who, o.n) INTO owners
    FROM (SELECT {OWNER_COLUMN} AS who, count(*) AS n FROM old_rows GROUP BY 1) o;
  END IF;
  SELECT jsonb_object_agg(o.key, o.value) INTO owners
  FROM jsonb_each(owners) o LEFT JOIN pg_roles r ON r.rolname = o.key
  WHERE NOT coalesce(pg_has_role(r.oid, 'USAGE'), false);
  IF owners IS NOT NULL THEN
    RAISE EXCEPTION 'rows of "%" belong to other roles', TG_TABLE_NAME
      USING ERRCODE = '{OWNERSHIP_SQLSTATE}', DETAIL = owners::text,
        SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME;
  END IF;
  RETURN NULL;
END
"""


def create_owner_check(schema: str) -> str:
    """The statement that creates the function which all protected tables of a schema share."""
    function = qualified(TableName(schema, _FUNCTION))
    return (
        f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger\n"
        f"LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $check${_BODY}$check$"
    )


def protect(table: TableName, owner: str) -> Iterator[str]:
    """The statements that protect a table; its rows so far go to `owner`."""
    name, column = qualified(table), quote(OWNER_COLUMN)
    # The first default fills the rows there are, without rewriting them.
    yield (
        f"ALTER TABLE {name} ADD COLUMN IF NOT EXISTS {column} varchar(63) NOT NULL DEFAULT {literal(owner)}"
    )
    yield f"ALTER TABLE {name} ALTER COLUMN {column} SET DEFAULT CURRENT_USER"
    yield f"COMMENT ON COLUMN {name}.{column} IS ':varchar(63):the role that inserted the row'"
    call = f"EXECUTE FUNCTION {qualified(TableName(table.schema, _FUNCTION))}()"
    for event in ("update", "delete"):
        yield (
            f"CREATE OR REPLACE TRIGGER {_trigger(event)} AFTER {event.upper()} ON {name}"
            f" REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT {call}"
        )
    yield (
        f"CREATE OR REPLACE TRIGGER {_trigger('insert')} AFTER INSERT ON {name}"
        f" FOR EACH ROW WHEN (NEW.{column} IS DISTINCT FROM CURRENT_USER::text) {call}"
    )
    trigger = f"CREATE OR REPLACE TRIGGER {_trigger('truncate')}"
    yield f"{trigger} BEFORE TRUNCATE ON {name} FOR EACH STATEMENT {call}"


def unprotect(table: TableName) -> Iterator[str]:
    """The statements that end the protection; the column stays, and with it who inserted what.

    >>> print(next(unprotect(TableName("lab", "subject"))))
    DROP TRIGGER IF EXISTS "~own_rows_update" ON "lab"."subject"
    """
    for event in ("update", "delete", "insert", "truncate"):
        yield f"DROP TRIGGER IF EXISTS {_trigger(event)} ON {qualified(table)}"


def give_rows(table: TableName) -> str:
    """The statement that gives one role's rows to another; its parameters are the old and the new owner."""
    column = quote(OWNER_COLUMN)
    return f"UPDATE {qualified(table)} SET {column} = $2 WHERE {column} = $1"


def _trigger(event: str) -> str:
    return quote(f"{_PREFIX}_{event}")
