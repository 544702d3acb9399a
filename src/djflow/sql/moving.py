"""The statement that points rows to where their objects lie now."""

from djflow.model.table import Attribute, Table
from djflow.sql.identifiers import qualified, quote


def replace_references(table: Table, column: Attribute) -> str:
    """Give rows another reference where they still have the one that was read, and tell which they were.

    Its parameters are lists of one length: primary keys as JSON objects, references as they were, and
    references as they shall be. A row of the result is the place in these lists, from 1.
    """
    name, whole = quote(column.name), qualified(table.name)
    same_key = "".join(f" AND t.{quote(each)} = k.{quote(each)}" for each in table.primary_key)
    return (
        f"UPDATE {whole} AS t SET {name} = n.new::json\n"
        "FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS n(key, old, new, place)\n"
        f"  CROSS JOIN LATERAL jsonb_populate_record(NULL::{whole}, n.key::jsonb) AS k\n"
        f"WHERE t.{name}::text = n.old{same_key}\n"
        "RETURNING n.place"
    )
