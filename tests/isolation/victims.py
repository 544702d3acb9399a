"""What processes do that are killed: `python -m tests.isolation.victims HOME LOGIN SCHEMA FOLDER NAME`."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.isolation.pipeline import (
    Client,
    archive,
    begin,
    commit,
    declare,
    delete,
    insert,
    populate,
    update,
)
from tests.isolation.steps import Action

from djflow.configuration import Settings, changed

MANY: Final = 60_000


def delete_inside(client: Client) -> None:
    """A delete in a transaction that did something before."""
    begin(client)
    insert("Subject", 3, "c")(client)
    delete("Subject", subject=1)(client)
    commit(client)


def insert_many(client: Client) -> None:
    """A frame of several batches."""
    client["Session"].insert(_many())


def replace_many(client: Client) -> None:
    """A frame that waits in a temporary table."""
    client["Session"].insert(_many(), on_conflict="update")


def _many() -> Any:
    import polars as pl

    number = pl.int_range(1, MANY + 1, dtype=pl.Int32, eager=True).alias("session")
    return pl.DataFrame({"session": number}).with_columns(
        subject=pl.lit(2, pl.Int32), weight=pl.lit(7, pl.Int32)
    )[1:]


def key_by_day(client: Client) -> None:
    """The key of sessions changes, and so that of all that depends on them."""
    client.tables["Session"].definition = """
    -> Subject
    session : int32
    day : int32
    ---
    weight = 0 : int32
    """
    client["Session"].alter(prompt=False, fill={"day": 0})


def actions(folder: Path) -> Mapping[str, Action]:
    """All of them, by name; archives are in the folder."""
    return {
        "delete": delete("Subject", subject=1),
        "delete inside": delete_inside,
        "delete and keep": archive("Subject", folder / "kept", subject=1),
        "delete quickly": lambda client: (client["Item"] & {"subject": 2}).delete_quick(),
        "insert many": insert_many,
        "replace many": replace_many,
        "update": update("Session", subject=1, session=1, weight=99),
        "populate": populate,
        "alter": key_by_day,
        "restore": lambda client: client.schema.restore(folder / "kept"),
        "restore whole": lambda client: client.schema.restore(folder / "whole"),
        "dump": lambda client: client.schema.dump(folder / "whole"),
    }


def main(home: str, login: str, schema: str, folder: str, name: str) -> None:
    settings = changed(Settings(home=Path(home)), {"database": json.loads(login)})
    actions(Path(folder))[name](Client(settings, schema, declare))


if __name__ == "__main__":
    main(*sys.argv[1:])
