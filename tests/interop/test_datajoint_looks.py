"""What DataJoint sees of tables that djflow declared and filled."""

from types import SimpleNamespace
from typing import Any

import pytest

import djflow as dj
from tests.interop.peer import Peer

TABLES = [
    "#kind", "#setup", "animal", "pair", "session", "session__trial", "_read", "__score", "__score__step"
]  # fmt: skip


def sees(dj: Any, schema: str) -> dict[str, Any]:
    known = dj.Schema(schema)
    lab = dj.VirtualModule("lab", schema)
    tables = (lab.Animal, lab.Pair, lab.Session, lab.Session.Trial, lab.Read, lab.Score, lab.Score.Step)
    return {
        "listed": known.list_tables(),
        "iterated": [table.table_name for table in known],
        "classes": [name for name in dir(lab) if name[0].isupper()],
        "tiers": [table.__mro__[1].__name__ for table in (*tables, lab.Kind, lab.Setup)],
        "keys": [table.primary_key for table in tables],
        "headings": [list(table.heading.names) for table in tables],
        "animal": lab.Animal.describe().splitlines(),
        "pair": lab.Pair.describe().splitlines(),
        "diagram": dj.Diagram(known).make_mermaid().splitlines(),
        "setup": lab.Setup.fetch1(),
        "parents": lab.Pair.parents(),
        "children": sorted(lab.Animal.children()),
    }


def edges(lines: list[str]) -> set[tuple[str, str]]:
    """The pairs of tables between which a flowchart has an arrow; those of renamed keys are doubled."""
    arrows = (line.split("-->") for line in lines if "-->" in line)
    return {(start.strip(), end.strip()) for start, end in arrows}


@pytest.fixture(params=["as declared", "with our bookkeeping"])
def schema_name(request: pytest.FixtureRequest, schema: dj.Schema, ours: SimpleNamespace) -> str:
    """The schema, once more with everything that djflow keeps for itself: hidden tables and columns."""
    if request.param != "as declared":
        schema.grant(schema.connection.query("SELECT current_user::text")[0][0], "reader")
        schema.protect_rows(ours.Animal, ours.Session)
        ours.Setup.definition = ours.Setup.definition.replace("# the only one", "# the one")
        ours.Setup.alter(prompt=False)
        hidden = schema.connection.query(
            "SELECT relname::text FROM pg_class WHERE relnamespace = $1::text::regnamespace "
            "AND relkind = 'r' AND relname LIKE '~%' ORDER BY 1",
            [schema.database],
        )
        assert [name for (name,) in hidden] == ["~grants", "~lineage", "~migrations"]
    return schema.database
