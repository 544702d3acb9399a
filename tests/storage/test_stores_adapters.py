import sys
import traceback
from collections.abc import Callable
from importlib.metadata import EntryPoint
from typing import Any, ClassVar

import pytest
from fsspec import AbstractFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from djflow.configuration import FrozenMapping, StoreSettings
from djflow.configuration.secret import Secret
from djflow.errors import ConfigError, DataJointError, StorageError
from djflow.storage import adapters
from djflow.storage.adapters import StorageAdapter, get_storage_adapter
from djflow.storage.registry import open_store
from djflow.storage.remote.s3 import S3Adapter
from djflow.storage.remote.store import RemoteStore
from djflow.storage.store import Store


class VolumeAdapter(StorageAdapter):
    protocol = "test-volume"
    required_keys = ("volume", "token")
    allowed_keys = ("volume", "token", "speed")

    def create_filesystem(self, spec: dict[str, Any]) -> AbstractFileSystem:
        assert spec["token"] == "hunter2"
        return MemoryFileSystem(skip_instance_cache=True)

    def full_path(self, spec: dict[str, Any], relpath: str) -> str:
        return f"/volumes/{spec['volume'].replace('.', '/')}/{relpath}"

    def get_url(self, spec: dict[str, Any], path: str) -> str:
        return f"volume://{spec['volume']}{path}"


def settings(**options: object) -> StoreSettings:
    return StoreSettings("vol", "test-volume", "lab", options=FrozenMapping(options))


def test_a_plug_in_says_where_objects_lie_and_how_they_are_shown() -> None:
    store = open_store(settings(volume="main.lab", token="hunter2"))
    assert isinstance(store, RemoteStore)
    store.put("a/b", b"x")
    assert store.filesystem("a/b")[0].cat_file("/volumes/main/lab/a/b") == b"x"
    assert store.url("a/b") == "volume://main.lab/volumes/main/lab/a/b"
    assert [file.path for file in store.list("")] == ["a/b"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "Store 'vol': test-volume store is missing: volume, token"),
        ({"volume": "v", "token": ""}, "test-volume store is missing: token"),
        ({"volume": "v", "token": "t", "spede": 1}, r"Invalid key\(s\) for test-volume: spede.*'speed'"),
    ],
)
def test_settings_are_checked_before_anything_is_opened(options: dict[str, object], reason: str) -> None:
    with pytest.raises(DataJointError, match=reason):
        open_store(settings(**options))


def test_all_common_settings_are_allowed() -> None:
    spec = dict.fromkeys(adapters.COMMON_KEYS, "x") | {"volume": "v", "token": "t"}
    get_storage_adapter("test-volume").validate_spec(spec)


def test_paths_and_urls_have_documented_defaults() -> None:
    class Plain(StorageAdapter):
        protocol = "test-plain"

        def create_filesystem(self, spec: dict[str, Any]) -> AbstractFileSystem:
            raise NotImplementedError

    adapter = get_storage_adapter("test-plain")
    assert isinstance(adapter, Plain)
    assert adapter.full_path({"location": "lab/x"}, "a/b") == "lab/x/a/b"
    assert adapter.full_path({}, "a/b") == "a/b"
    assert adapter.get_url({}, "lab/x/a/b") == "test-plain://lab/x/a/b"


class Foreign:
    """Written for another base class of the same documented form."""

    protocol = "test-foreign"
    required_keys = allowed_keys = ()

    def create_filesystem(self, spec: dict[str, Any]) -> AbstractFileSystem:
        del spec
        return MemoryFileSystem(skip_instance_cache=True)

    def validate_spec(self, spec: dict[str, Any]) -> None:
        assert spec["location"] == "lab"

    def full_path(self, spec: dict[str, Any], relpath: str) -> str:
        return f"{spec['location']}/{relpath}"

    def get_url(self, spec: dict[str, Any], path: str) -> str:
        del spec
        return f"{self.protocol}://{path}"


def offer(monkeypatch: pytest.MonkeyPatch, group: str, value: str) -> None:
    entry = EntryPoint("offered", value, group)
    monkeypatch.setattr(adapters, "entry_points", lambda group: [entry] if group == entry.group else [])
    monkeypatch.setattr(adapters, "_adapters", {})
    monkeypatch.setitem(sys.modules, "offered_storage", sys.modules[__name__])


@pytest.mark.parametrize("group", ["djflow.storage", "datajoint.storage"])
def test_installed_packages_offer_protocols(group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, group, "offered_storage:Foreign")
    store = open_store(StoreSettings("main", "test-foreign", "lab"))
    store.put("a/b", b"x")
    store.remove("a")
    assert not store.exists("a/b")


@pytest.mark.parametrize("value", ["offered_storage:Absent", "offered_storage:settings", "no_such_package:X"])
def test_a_plug_in_that_cannot_be_loaded_is_named(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, "djflow.storage", value)
    with pytest.raises(ConfigError, match="Failed to load storage adapter 'offered'"):
        get_storage_adapter("test-foreign")


def test_a_protocol_has_one_adapter() -> None:
    for taken in ("s3", "file", "test-volume"):
        with pytest.raises(ConfigError, match=f"{taken!r} has an adapter already"):
            type("Another", (VolumeAdapter,), {"protocol": taken})


def test_an_adapter_that_is_defined_again_replaces_the_first() -> None:
    for _ in range(2):
        again = type("Cell", (VolumeAdapter,), {"protocol": "test-cell"})
    assert type(get_storage_adapter("test-cell")) is again


@pytest.mark.parametrize(
    ("protocol", "package", "options"),
    [
        ("gcs", "gcsfs", {"bucket": "b", "token": "t.json"}),
        ("azure", "adlfs", {"container": "c", "account_key": "k"}),
    ],
)
def test_a_protocol_without_its_package_names_it(
    protocol: str, package: str, options: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    store = open_store(StoreSettings("cloud", protocol, "lab", options=FrozenMapping(options)))
    with pytest.raises(ConfigError, match=f"pip install {package}"):
        store.get("a")


@pytest.mark.parametrize(
    ("protocol", "url"), [("s3", "s3://b/lab/a/c"), ("gcs", "gs://b/lab/a/c"), ("azure", "az://b/lab/a/c")]
)
def test_paths_in_buckets_begin_with_bucket_and_location(protocol: str, url: str) -> None:
    adapter = get_storage_adapter(protocol)
    spec = {"bucket": "b", "container": "b", "location": "/lab/"}
    assert adapter.full_path(spec, "a/c") == "b/lab/a/c"
    assert adapter.get_url(spec, adapter.full_path(spec, "a/c")) == url


def test_the_adapter_of_a_built_in_protocol_can_be_inspected() -> None:
    adapter = get_storage_adapter("s3")
    assert isinstance(adapter, S3Adapter)
    assert (adapter.protocol, adapter.required_keys) == ("s3", ("bucket",))
    assert {"endpoint", "secure", "access_key", "secret_key"} <= set(adapter.allowed_keys)


def test_using_local_stores_imports_no_cloud_library() -> None:
    import subprocess

    code = (
        "import sys, djflow.storage.registry as r; from djflow.configuration import StoreSettings as S;"
        "r.open_store(S('a', 'file', '/tmp/x'));"
        "from djflow.configuration import FrozenMapping as F;"
        "r.open_store(S('b', 's3', 'x', options=F({'bucket': 'b'})));"
        "print([m for m in ('fsspec', 's3fs', 'obstore', 'botocore', 'zarr') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class Leaking(StorageAdapter):
    """Tells all that it knows when anything fails."""

    protocol = "test-leaking"
    allowed_keys = ("token", "is_wrong")

    def validate_spec(self, spec: dict[str, Any]) -> None:
        if spec.get("is_wrong"):
            raise KeyError(f"what is {spec}?")

    def create_filesystem(self, spec: dict[str, Any]) -> AbstractFileSystem:
        raise ValueError("no such user", spec)


def leaking(**options: object) -> StoreSettings:
    given = FrozenMapping({"token": Secret("hunter2"), **options})
    return StoreSettings("leak", "test-leaking", "lab", options=given)


@pytest.mark.parametrize(
    "action",
    [
        lambda: open_store(leaking()).get("a"),
        lambda: list(open_store(leaking()).list("")),
        lambda: open_store(leaking()).filesystem("a"),
        lambda: open_store(leaking(is_wrong=True)),
    ],
)
def test_what_a_plug_in_raises_is_told_without_credentials(action: Callable[[], object]) -> None:
    with pytest.raises(DataJointError, match="leak") as caught:
        action()
    shown = "".join(traceback.format_exception(caught.value))
    assert "hunter2" not in shown
    assert "***" in shown


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("access_key", "AKID\n"),
        ("secret_key", "s3cr3t\n"),
        ("session_token", "t\tt"),
        ("endpoint", "my server"),
        ("bucket", "b b"),
    ],
)
def test_settings_that_no_library_explains_are_refused_by_name(name: str, value: str) -> None:
    given = {"bucket": "b", "endpoint": "s3.lab.org", "access_key": Secret("a"), "secret_key": Secret("b")}
    wrong = Secret(value) if "key" in name or "token" in name else value
    with pytest.raises(ConfigError, match=f"'{name}' has white space") as caught:
        open_store(StoreSettings("main", "s3", options=FrozenMapping({**given, name: wrong})))
    assert value.strip() not in str(caught.value)


class Careless(MemoryFileSystem):  # type: ignore[misc]
    """Files whose listings and contents are not what `fsspec` promises."""

    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]

    def find(self, path: str, **options: Any) -> Any:
        return list(super().find(path, **options))

    def cat_file(self, path: str, **_: Any) -> Any:
        return path


class CarelessAdapter(StorageAdapter):
    protocol = "test-careless"

    def create_filesystem(self, spec: dict[str, Any]) -> AbstractFileSystem:
        del spec
        return Careless(skip_instance_cache=True)

    def get_url(self, spec: dict[str, Any], path: str) -> str:
        raise KeyError(spec["unknown"], path)


@pytest.mark.parametrize(
    "action",
    [
        lambda store: list(store.list("a")),
        lambda store: store.get("a/b"),
        lambda store: store.open("a/b").read(),
        lambda store: store.remove("a"),
    ],
)
def test_what_a_plug_in_gets_wrong_is_told_of_its_store(action: Callable[[Store], object]) -> None:
    store = open_store(StoreSettings("careless", "test-careless", "lab"))
    store.put("a/b", b"x")
    with pytest.raises(StorageError, match="store 'careless' at test-careless://"):
        action(store)
