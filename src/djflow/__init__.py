"""djflow: declared tables, lazy queries, Arrow results, on PostgreSQL.

A table is a step of a workflow, a foreign key is a dependency, a query is a lazy plan,
and a result is an Arrow table.

>>> import djflow as dj
>>> schema = dj.Schema("readme")
>>> @schema
... class Subject(dj.Manual):
...     definition = '''
...     subject : varchar(20)   # name in the lab's book
...     ---
...     born : date
...     '''
>>> Subject.heading.names
('subject', 'born')

Importing it opens nothing, and loads only what is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from djflow import errors
from djflow._version import __version__
from djflow.errors import DataJointError, DjflowError

if TYPE_CHECKING:
    from djflow import deploy, gc, migrate, spark
    from djflow.diagram import Diagram
    from djflow.pipeline.flow.flow import Flow, populate
    from djflow.pipeline.tiers import AutoPopulated, Compute, Computed, Imported, Ingest
    from djflow.relation.conditions import AndList, Not, Top
    from djflow.relation.frames import Frame
    from djflow.relation.relation import Relation
    from djflow.relation.stored_column import StoredColumn
    from djflow.relation.universal import U
    from djflow.storage.adapters import StorageAdapter, get_storage_adapter
    from djflow.storage.chunks import Chunks
    from djflow.storage.codec import Codec, get_codec, list_codecs
    from djflow.storage.codecs.npy_ref import NpyRef
    from djflow.storage.codecs.store_codec import SchemaCodec
    from djflow.storage.handles import FrameRef, ObjectRef
    from djflow.storage.spark import SparkAdapter
    from djflow.tables.archiving import restore
    from djflow.tables.declared import Table
    from djflow.tables.default import config, conn
    from djflow.tables.free import FreeTable
    from djflow.tables.instance import Instance
    from djflow.tables.schema import Schema
    from djflow.tables.tiers import Entry, Lookup, Manual, Part
    from djflow.tables.virtual.module import VirtualModule, virtual_schema

# Where each public name lives; its module is imported when the name is first used.
_HOMES: Final = {
    "AndList": "djflow.relation.conditions",
    "AutoPopulated": "djflow.pipeline.tiers",
    "Chunks": "djflow.storage.chunks",
    "Codec": "djflow.storage.codec",
    "Compute": "djflow.pipeline.tiers",
    "Computed": "djflow.pipeline.tiers",
    "Diagram": "djflow.diagram",
    "Entry": "djflow.tables.tiers",
    "Flow": "djflow.pipeline.flow.flow",
    "Frame": "djflow.relation.frames",
    "FrameRef": "djflow.storage.handles",
    "FreeTable": "djflow.tables.free",
    "Imported": "djflow.pipeline.tiers",
    "Instance": "djflow.tables.instance",
    "Ingest": "djflow.pipeline.tiers",
    "Lookup": "djflow.tables.tiers",
    "Manual": "djflow.tables.tiers",
    "Not": "djflow.relation.conditions",
    "NpyRef": "djflow.storage.codecs.npy_ref",
    "ObjectRef": "djflow.storage.handles",
    "Part": "djflow.tables.tiers",
    "Relation": "djflow.relation.relation",
    "Schema": "djflow.tables.schema",
    "SchemaCodec": "djflow.storage.codecs.store_codec",
    "SparkAdapter": "djflow.storage.spark",
    "StorageAdapter": "djflow.storage.adapters",
    "StoredColumn": "djflow.relation.stored_column",
    "Table": "djflow.tables.declared",
    "Top": "djflow.relation.conditions",
    "U": "djflow.relation.universal",
    "VirtualModule": "djflow.tables.virtual.module",
    "config": "djflow.tables.default",
    "conn": "djflow.tables.default",
    "deploy": "djflow.deploy",
    "gc": "djflow.gc",
    "get_codec": "djflow.storage.codec",
    "get_storage_adapter": "djflow.storage.adapters",
    "list_codecs": "djflow.storage.codec",
    "migrate": "djflow.migrate",
    "populate": "djflow.pipeline.flow.flow",
    "restore": "djflow.tables.archiving",
    "spark": "djflow.spark",
    "virtual_schema": "djflow.tables.virtual.module",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(
            f"module 'djflow' has no attribute {name!r}{errors.did_you_mean(name, list(_HOMES))}"
        )
    module = import_module(home)
    value = module if home == f"{__name__}.{name}" else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})


__all__ = [
    "AndList",
    "AutoPopulated",
    "Chunks",
    "Codec",
    "Compute",
    "Computed",
    "DataJointError",
    "Diagram",
    "DjflowError",
    "Entry",
    "Flow",
    "Frame",
    "FrameRef",
    "FreeTable",
    "Imported",
    "Ingest",
    "Instance",
    "Lookup",
    "Manual",
    "Not",
    "NpyRef",
    "ObjectRef",
    "Part",
    "Relation",
    "Schema",
    "SchemaCodec",
    "SparkAdapter",
    "StorageAdapter",
    "StoredColumn",
    "Table",
    "Top",
    "U",
    "VirtualModule",
    "__version__",
    "config",
    "conn",
    "deploy",
    "errors",
    "gc",
    "get_codec",
    "get_storage_adapter",
    "list_codecs",
    "migrate",
    "populate",
    "restore",
    "spark",
    "virtual_schema",
]
