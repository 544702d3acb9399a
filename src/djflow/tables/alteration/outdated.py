"""Classes whose definitions no longer fit once the tables that they refer to have changed."""

from collections.abc import Iterable, Iterator

from djflow.errors import DefinitionError
from djflow.model.names import TableName
from djflow.model.table import Table
from djflow.sql.alteration.follow import Target
from djflow.tables.alteration.wanted import name_of, wanted_tables
from djflow.tables.declared import Table as DeclaredTable


def outdated(target: Target, classes: Iterable[type[DeclaredTable]]) -> Iterator[str]:
    """What has to be changed in the definitions of classes whose tables only follow."""

    def lookup(name: TableName) -> Table | None:
        return target.deltas[name].new if name in target.deltas else None

    for cls in classes:
        delta = target.deltas.get(name_of(cls))
        if delta is None or delta.is_asked:
            continue
        try:
            [wanted] = wanted_tables([cls], {}, None).values()
            wanted.bound(lookup)
        except DefinitionError as error:
            yield f"{delta.name} follows, and its definition has to: {error.reason}"
