"""Stores on S3 keep what all stores promise, whichever library reaches the server."""

import pytest

from djflow.storage.registry import open_store
from djflow.storage.remote import opened, s3_objects
from djflow.storage.remote.s3 import S3Adapter
from djflow.storage.remote.s3_objects import S3Objects
from djflow.storage.remote.store import RemoteStore
from djflow.storage.store import Store
from djflow.testing.s3_server import S3Endpoint
from djflow.testing.stores import StoreContract


class TestS3ThroughObstore(StoreContract):
    @pytest.fixture(autouse=True)
    def _server(self, s3_endpoint: S3Endpoint) -> None:
        self.endpoint = s3_endpoint

    def make(self) -> Store:
        return open_store(self.endpoint.settings())


class TestS3ThroughS3fs(TestS3ThroughObstore):
    @pytest.fixture(autouse=True)
    def _without_obstore(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(S3Adapter, "object_store", lambda *_: None)


def test_the_faster_library_serves_where_settings_have_all_that_it_needs(s3_endpoint: S3Endpoint) -> None:
    store = open_store(s3_endpoint.settings())
    assert isinstance(store, RemoteStore)
    assert isinstance(opened.files(store.adapter, store.settings), S3Objects)
    chained = open_store(s3_endpoint.settings(access_key="", secret_key=""))
    assert isinstance(chained, RemoteStore)
    assert not isinstance(opened.files(chained.adapter, chained.settings), S3Objects)


def test_a_long_listing_comes_in_pages(s3_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_objects, "_PAGE", 2)
    paths = {f"folder/{number}" for number in range(5)}
    for path in paths:
        s3_store.put(path, b"x")
    listed = s3_store.list("folder")
    first = next(listed)
    s3_store.put("folder/later", b"")
    assert {first.path, *(file.path for file in listed)} >= paths
    assert [file.path for file in s3_store.list("folder/3")] == ["folder/3"]
