"""A batch of objects on its way into another store."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from djflow.errors import BucketInaccessible, ConfigError, StorageError, StoreFullError
from djflow.storage.cached import without_cache
from djflow.storage.copying import copy_object, is_shared
from djflow.storage.parallel import map_threads
from djflow.storage.paths import StoreLayout, hash_path, new_token
from djflow.tables.objects.journal import record_owned, record_shared
from djflow.tables.objects.moved import Moved, Step

if TYPE_CHECKING:
    from djflow.configuration import StoreSettings
    from djflow.relation.database import Database
    from djflow.storage.store import Store
    from djflow.tables.objects.movable import Movable


def recorded(database: "Database", schema: str, target: "Store", batch: Sequence["Movable"]) -> list[str]:
    """New paths for objects, recorded for the transaction that will refer to them."""
    known = database.settings.stores.by_name
    paths: dict[int, str] = {}
    for place, each in enumerate(batch):
        if is_shared(each.reference):
            paths[place] = hash_path(target.layout, schema, each.reference["hash"])
        else:
            paths[place] = new_path(each.path, each.attribute, known.get(each.store), target.layout)
    shared = [place for place, each in enumerate(batch) if is_shared(each.reference)]
    owned = [paths[place] for place in paths if place not in set(shared)]
    record_owned(database, schema, target.name, owned)
    chosen = record_shared(database, schema, target.name, [paths[place] for place in shared])
    paths.update(zip(shared, chosen, strict=True))
    return list(paths.values())


def new_path(path: str, attribute: str, source: "StoreSettings | None", target: StoreLayout) -> str:
    """A path for one row's object in another store: the same, but for its random part and the section.

    >>> new_path("_schema/lab/rec/k=1/trace_x1y2.npy", "trace", None, StoreLayout(token_length=4))[:-8]
    '_schema/lab/rec/k=1/trace_'
    """
    if source is not None and path.startswith(f"{source.schema_prefix}/"):
        path = target.schema_prefix + path.removeprefix(source.schema_prefix)
    folder, slash, name = path.rpartition("/")
    _, dot, extension = name.partition(".")
    return f"{folder}{slash}{attribute}_{new_token(target.token_length)}{dot}{extension}"


def copied(
    database: "Database", batch: Sequence["Movable"], target: "Store", paths: Sequence[str]
) -> list[Moved]:
    """Copy objects to some paths, several at a time; those that are damaged or gone stay.

    Raises `BucketInaccessible` and `StoreFullError`, after which no other object could be copied.
    """

    def copy(place: int) -> Moved:
        movable, path = batch[place], paths[place]
        try:
            source = without_cache(database.open_store(movable.store))
            done = copy_object(source, target, movable.reference, path)
        except (BucketInaccessible, StoreFullError):
            raise
        except (StorageError, ConfigError) as error:
            return Moved(movable, None, movable.size, error=error)
        return Moved(movable, Step.THERE if done.was_there else Step.COPIED, done.size, path)

    return map_threads(copy, range(len(batch)))
