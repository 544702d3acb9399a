"""Which paths of a store belong to which schema. Pure."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

from djflow.model.names import TableName
from djflow.sql.objects import Kind
from djflow.storage.paths import StoreLayout, finished, hash_path, schema_path

_SIDECAR: Final = ".manifest.json"  # DataJoint's list of the files of a folder, beside the folder


def sections(layout: StoreLayout, schema: str) -> tuple[str, str]:
    """Where all objects of a schema lie, shared ones and owned ones, the second with those of others.

    >>> sections(StoreLayout(), "lab")
    ('_hash/lab', '_schema/lab')
    """
    shared = hash_path(StoreLayout(hash_prefix=layout.hash_prefix), schema, "x").removesuffix("/x")
    if layout.partition:  # which comes before the schema
        return shared, layout.schema_prefix
    table = schema_path(layout, TableName(schema, "t"), {}, "x", token="")
    return shared, table.removesuffix("/t/x_")


def section_of(path: str, layout: StoreLayout) -> tuple[Kind, str] | None:
    """The kind of the object at a path, and its schema; None where users keep files of their own.

    >>> section_of("_schema/day=3/lab/scan/id=1/a.npy", StoreLayout(partition_pattern="day"))
    (<Kind.OWNED: 'owned'>, 'lab')
    >>> section_of("_hash/my%2Flab/abc", StoreLayout())
    (<Kind.SHARED: 'shared'>, 'my/lab')
    >>> section_of("videos/1.avi", StoreLayout())
    """
    for kind, prefix in ((Kind.SHARED, layout.hash_prefix), (Kind.OWNED, layout.schema_prefix)):
        if path.startswith(f"{prefix}/"):
            segments = path.removeprefix(f"{prefix}/").split("/")
            for name in layout.partition if kind is Kind.OWNED else ():
                if segments[0].startswith(f"{name}="):
                    segments = segments[1:]
            return (kind, unquote(segments[0])) if len(segments) > 1 else None
    return None


def objects_of(path: str) -> Iterator[str]:
    """The objects to which a file may belong: itself, each folder that holds it, what it lies beside.

    >>> list(objects_of("a/x.zarr/c"))
    ['a/x.zarr/c', 'a/x.zarr', 'a']
    >>> list(objects_of("a/x.manifest.json")), list(objects_of("a/.x.tmp"))
    (['a/x.manifest.json', 'a/x', 'a'], ['a/.x.tmp', 'a/x', 'a'])
    """
    yield path
    if path.endswith(_SIDECAR):
        yield path.removesuffix(_SIDECAR)
    while path:
        if (object_ := finished(path)) != path:
            yield object_
        path = path.rpartition("/")[0]
        if path:
            yield path
