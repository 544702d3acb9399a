"""Protocols of stores: the base class that plug-ins derive from, and how a protocol is found by its name."""

from abc import ABC, abstractmethod
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, ClassVar, Final

from djflow.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    import fsspec

COMMON_KEYS: Final = (
    "protocol",
    "location",
    "subfolding",
    "partition_pattern",
    "token_length",
    "hash_prefix",
    "schema_prefix",
    "filepath_prefix",
    "stage",
)
_BUILTIN: Final = {name: f"djflow.storage.remote.{name}" for name in ("s3", "gcs", "azure")}
_ENTRY_POINT_GROUPS: Final = ("djflow.storage", "datajoint.storage")
_adapters: Final[dict[str, "StorageAdapter"]] = {}


class StorageAdapter(ABC):
    """A protocol that stores can have: how to reach it through `fsspec` and which settings it needs.

    A subclass with a `protocol` is known as soon as it is defined; packages offer theirs by an entry point
    in the group `djflow.storage` or `datajoint.storage`. Instances are made without arguments and hold no
    state. A subclass may say `writes_whole = True` where its file system shows a file only once all of it is
    written; others are written under a temporary name and moved.

    >>> class Scratch(StorageAdapter):
    ...     protocol = "scratch_example"
    ...     required_keys = ("room",)
    ...     def create_filesystem(self, spec):
    ...         from fsspec.implementations.memory import MemoryFileSystem
    ...         return MemoryFileSystem()
    >>> get_storage_adapter("scratch_example").full_path({"location": "lab", "room": "5"}, "a.npy")
    'lab/a.npy'
    """

    protocol: ClassVar[str]
    required_keys: ClassVar[tuple[str, ...]] = ()
    allowed_keys: ClassVar[tuple[str, ...]] = ()
    writes_whole: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "protocol" in vars(cls):
            _register(cls())

    @abstractmethod
    def create_filesystem(self, spec: dict[str, Any]) -> "fsspec.AbstractFileSystem":
        """A new file system for a store's settings, credentials in plain text among them."""

    def validate_spec(self, spec: dict[str, Any]) -> None:
        """Raise `ConfigError` if a required setting is missing or one is not understood."""
        missing = [key for key in self.required_keys if not spec.get(key)]
        if missing:
            raise ConfigError(f"{self.protocol} store is missing: {', '.join(missing)}.")
        known = (*self.required_keys, *self.allowed_keys, *COMMON_KEYS)
        unknown = [key for key in spec if key not in known]
        if unknown:
            raise ConfigError(
                f"Invalid key(s) for {self.protocol}: {', '.join(unknown)}."
                f"{did_you_mean(unknown[0], list(known))}"
            )

    def full_path(self, spec: dict[str, Any], relpath: str) -> str:
        """The path of an object in the file system."""
        return "/".join(filter(None, [str(spec.get("location") or "").rstrip("/"), relpath]))

    def get_url(self, spec: dict[str, Any], path: str) -> str:
        """What to show people for a full path."""
        del spec
        return f"{self.protocol}://{path}"

    def is_there(self, filesystem: "fsspec.AbstractFileSystem", spec: dict[str, Any]) -> bool:
        """Whether the bucket, or what takes its place, exists; asked when an object does not."""
        del filesystem, spec
        return True


class BucketAdapter(StorageAdapter, ABC):
    """A protocol whose paths begin with a bucket, named by the setting `root_key`."""

    root_key: ClassVar[str] = "bucket"
    writes_whole = True

    def root(self, spec: dict[str, Any]) -> str:
        """The name of the bucket."""
        return str(spec[self.root_key]).strip("/")

    def full_path(self, spec: dict[str, Any], relpath: str) -> str:
        """The bucket, the location in it, and the object's path."""
        location = str(spec.get("location") or "").strip("/")
        return "/".join(filter(None, [self.root(spec), location, relpath]))

    def is_there(self, filesystem: "fsspec.AbstractFileSystem", spec: dict[str, Any]) -> bool:
        """Whether the bucket exists and lets itself be asked."""
        return bool(filesystem.exists(self.root(spec)))


def get_storage_adapter(protocol: str) -> StorageAdapter:
    """The adapter of a protocol. Raises `ConfigError` where none is installed or it cannot be loaded.

    >>> get_storage_adapter("s3").required_keys
    ('bucket',)
    """
    if protocol in _BUILTIN and protocol not in _adapters:
        import_module(_BUILTIN[protocol])
    found = _adapters.get(protocol) or _discovered().get(protocol)
    if found is None:
        known = sorted({"file", *_BUILTIN, *_adapters})
        raise ConfigError(
            f"Unknown protocol: {protocol!r}; supported: {', '.join(map(repr, known))}."
            f"{did_you_mean(protocol, known)}"
        ).suggest("Another protocol needs the package that brings its storage adapter.")
    return found


def installed(package: str, protocol: str) -> Any:
    """The module of a package that a protocol needs. Raises `ConfigError` where it is not installed."""
    try:
        return import_module(package)
    except ImportError as error:
        raise ConfigError(
            f"Stores with protocol {protocol!r} need the package {package!r}: pip install {package}"
        ) from error


def _register(adapter: StorageAdapter) -> None:
    known = _adapters.get(adapter.protocol)
    same = known is None or _place(known) == _place(adapter)  # a cell of a notebook that runs again
    if not same or (adapter.protocol in (*_BUILTIN, "file") and not _is_own(adapter)):
        raise ConfigError(f"Protocol {adapter.protocol!r} has an adapter already; choose another name.")
    _adapters[adapter.protocol] = adapter


def _place(adapter: StorageAdapter) -> tuple[str, str]:
    return type(adapter).__module__, type(adapter).__qualname__


def _is_own(adapter: StorageAdapter) -> bool:
    return type(adapter).__module__ == _BUILTIN.get(adapter.protocol)


def _discovered() -> dict[str, StorageAdapter]:
    """Load what packages offer; what was written for DataJoint's base class is known by its methods."""
    for group in _ENTRY_POINT_GROUPS:
        for entry in entry_points(group=group):
            adapter = _load(entry)
            if adapter.protocol not in _adapters:
                _register(adapter)
    return _adapters


def _load(entry: EntryPoint) -> StorageAdapter:
    try:
        adapter: StorageAdapter = entry.load()()
        if not isinstance(adapter.protocol, str) or not callable(adapter.create_filesystem):
            raise TypeError(f"{entry.value} is no storage adapter")  # noqa: TRY301 - one message for all causes
    except Exception as error:
        raise ConfigError(
            f"Failed to load storage adapter {entry.name!r} ({entry.value}): {error}"
        ) from error
    return adapter
