"""On which attributes two relations match."""

from djflow.errors import QueryError, SemanticMatchError
from djflow.model.table import Heading
from djflow.planner import scalar as s


def homologous(left: Heading, right: Heading, *, semantic_check: bool = True) -> tuple[str, ...]:
    """The attributes on which two relations match: same name and same lineage.

    Raises `SemanticMatchError` for a shared name of different or unknown origin,
    unless `semantic_check` is False: then names alone decide. Raises `QueryError` where the types
    of two namesakes do not compare.
    """
    shared = tuple(name for name in left.names if name in right)
    if semantic_check:
        for name in shared:
            origin, other = left[name].lineage, right[name].lineage
            if origin is None or origin != other:
                raise SemanticMatchError(name, origin, other)
    for name in shared:
        types = left[name].stored, right[name].stored
        if s.family(types[0]) != s.family(types[1]):
            raise QueryError(
                f"Cannot match on attribute {name!r}: {types[0]} and {types[1]} do not compare. Rename one."
            )
    return shared
