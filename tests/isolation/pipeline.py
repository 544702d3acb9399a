"""The tables of the scenarios, what clients do with them, and what must hold afterwards."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.isolation.steps import Pauses

import djflow as dj
from djflow.configuration import Settings
from djflow.relation.database import Database

if TYPE_CHECKING:
    import psycopg

TABLES: Final = {
    "subject": "Subject",
    "pair": "Pair",
    "session": "Session",
    "session__trial": "Trial",
    "note": "Note",
    "remark": "Remark",
    "__count": "Count",
    "__count__item": "Item",
}
FOREIGN_KEYS: Final = 9

_FILL: Final = """
INSERT INTO "{s}".subject VALUES (1, 'a'), (2, 'b');
INSERT INTO "{s}".pair VALUES (1, 2), (2, 2);
INSERT INTO "{s}".session VALUES (1, 1, 10), (1, 2, 20), (2, 1, 30);
INSERT INTO "{s}".session__trial VALUES (1, 1, 1), (1, 1, 2), (1, 2, 1), (2, 1, 1);
INSERT INTO "{s}".note VALUES (1, 1, 1), (2, 2, 1), (3, NULL, NULL);
INSERT INTO "{s}".remark VALUES (1, 1), (2, 1), (3, 1);
INSERT INTO "{s}".__count VALUES (1, 1, 2), (2, 1, 1);
INSERT INTO "{s}".__count__item VALUES (1, 1, 1), (1, 1, 2), (2, 1, 1);
"""
_FOREIGN_KEYS: Final = """
SELECT k.conrelid::regclass::text, k.confrelid::regclass::text,
  ARRAY(SELECT quote_ident(a.attname) FROM unnest(k.conkey) WITH ORDINALITY AS c(n, i)
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = c.n ORDER BY i),
  ARRAY(SELECT quote_ident(a.attname) FROM unnest(k.confkey) WITH ORDINALITY AS c(n, i)
        JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = c.n ORDER BY i)
FROM pg_constraint k WHERE k.contype = 'f' AND k.connamespace = %s::regnamespace
"""
_LEFT_OPEN: Final = """
SELECT pid, state, query FROM pg_stat_activity
WHERE datname = current_database() AND state LIKE 'idle in transaction%'
"""
_TEMPORARY: Final = "SELECT relname FROM pg_class WHERE relpersistence = 't' AND relkind = 'r'"


class Client:
    """A program of its own: its connections, its classes."""

    def __init__(
        self, settings: Settings, schema: str, declare: Callable[["Client"], dict[str, Any]]
    ) -> None:
        self.database = Database(lambda: settings)
        self.schema = dj.Schema(schema, connection=self.database)
        self.pauses = Pauses()
        self.tables = declare(self)

    def __getitem__(self, name: str) -> Any:
        return self.tables[name]()


def declare(client: Client) -> dict[str, Any]:
    """A pipeline with parts, a computed table, a reference beside the key and two into one table."""
    schema, pauses = client.schema, client.pauses

    @schema
    class Subject(dj.Manual):
        definition = """
        subject : int32
        ---
        name = '' : varchar(10)
        """

    @schema
    class Pair(dj.Manual):
        definition = """
        -> Subject.proj(first='subject')
        -> Subject.proj(second='subject')
        """

    @schema
    class Session(dj.Manual):
        definition = """
        -> Subject
        session : int32
        ---
        weight = 0 : int32
        """

        class Trial(dj.Part):
            definition = """
            -> master
            trial : int32
            """

    @schema
    class Note(dj.Manual):
        definition = """
        note : int32
        ---
        -> [nullable] Session
        """

    @schema
    class Remark(dj.Manual):
        definition = """
        -> Note
        remark : int32
        """

    @schema
    class Count(dj.Computed):
        definition = """
        -> Session
        ---
        n : int32
        """

        class Item(dj.Part):
            definition = """
            -> master
            -> Session.Trial
            """

        def make(self, key: dict[str, Any]) -> None:
            pauses.at("before reading")
            trials = (Session.Trial() & key).keys()
            pauses.at("before inserting")
            self.insert1({**key, "n": len(trials)})
            pauses.at("between inserts")
            self.Item().insert(trials)
            pauses.at("before committing")

    return {
        "Subject": Subject,
        "Pair": Pair,
        "Session": Session,
        "Trial": Session.Trial,
        "Note": Note,
        "Remark": Remark,
        "Count": Count,
        "Item": Count.Item,
    }


def fill(observer: "psycopg.Connection[Any]", schema: str) -> None:
    """The rows with which each scenario begins."""
    listed = ", ".join(f'"{schema}"."{table}"' for table in TABLES)
    observer.execute(f"TRUNCATE {listed}; {_FILL.format(s=schema)}".encode(), prepare=False)


def content(observer: "psycopg.Connection[Any]", schema: str) -> dict[str, list[tuple[Any, ...]]]:
    """All committed rows."""
    return {
        name: sorted(observer.execute(f'SELECT * FROM "{schema}"."{table}"'.encode()), key=repr)
        for table, name in TABLES.items()
    }


def check_promises(
    observer: "psycopg.Connection[Any]", schema: str, foreign_keys: int = FOREIGN_KEYS
) -> None:
    """No reference dangles, no part lacks its master or a result its inputs, and no result is a half."""
    keys = observer.execute(_FOREIGN_KEYS, [f'"{schema}"']).fetchall()
    assert len(keys) == foreign_keys
    for child, parent, own, its in keys:
        same = " AND ".join(f"c.{a} = p.{b}" for a, b in zip(own, its, strict=True))
        given = " AND ".join(f"c.{a} IS NOT NULL" for a in own)
        found = observer.execute(
            f"SELECT c.* FROM {child} c WHERE {given} "
            f"AND NOT EXISTS (SELECT FROM {parent} p WHERE {same})".encode()
        ).fetchall()
        assert not found, (child, parent, found)


def check_whole_results(observer: "psycopg.Connection[Any]", schema: str) -> None:
    """A computed row has the parts that were made with it."""
    s = f'"{schema}"'
    halves = observer.execute(
        f"SELECT subject, session, n, count(trial) FROM {s}.__count LEFT JOIN {s}.__count__item "
        "USING (subject, session) GROUP BY 1, 2, 3 HAVING n <> count(trial)".encode()
    ).fetchall()
    assert not halves


def check_nothing_left_open(observer: "psycopg.Connection[Any]") -> None:
    """No transaction is open that nobody will end, and no temporary table stays."""
    assert observer.execute(_LEFT_OPEN).fetchall() == []
    assert observer.execute(_TEMPORARY).fetchall() == []


# what clients do


def begin(client: Client) -> None:
    client.database.start_transaction()


def commit(client: Client) -> None:
    client.database.commit_transaction()


def roll_back(client: Client) -> None:
    client.database.cancel_transaction()


def delete(table: str, policy: str = "enforce", **key: Any) -> Callable[[Client], Any]:
    """Delete some rows with all that depends on them."""
    return lambda client: (client[table] & key).delete(prompt=False, part_integrity=policy)


def delete_where(table: str, condition: str) -> Callable[[Client], Any]:
    """Delete rows that a condition chooses."""
    return lambda client: (client[table] & condition).delete(prompt=False)


def archive(table: str, path: Path, **key: Any) -> Callable[[Client], Any]:
    """Delete some rows and keep them."""
    return lambda client: (client[table] & key).delete(prompt=False, archive=path)


def insert(table: str, *row: Any, **options: Any) -> Callable[[Client], Any]:
    """Insert a row."""
    return lambda client: client[table].insert([row], **options)


def update(table: str, **row: Any) -> Callable[[Client], Any]:
    """Correct a row."""
    return lambda client: client[table].update1(row)


def populate(client: Client) -> Mapping[str, Any]:
    return client["Count"].populate()  # type: ignore[no-any-return]
