import pytest

from djflow.storage.registry import open_store
from djflow.storage.store import Store
from djflow.testing.s3_server import S3Endpoint
from djflow.testing.stores import StoreContract


class TestS3(StoreContract):
    @pytest.fixture(autouse=True)
    def _server(self, s3_endpoint: S3Endpoint) -> None:
        self.endpoint = s3_endpoint

    def make(self) -> Store:
        return open_store(self.endpoint.settings())
