"""Two stores beside the benchmark's database: a folder, and a bucket on an S3 server of this machine."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import djflow as dj
from benchmarks.server import Bench
from benchmarks.store_names import BUCKET, FOLDER
from djflow.configuration import FrozenMapping, Settings, StoreSettings, StoresSettings
from djflow.relation.database import Database
from djflow.testing.s3_server import S3Endpoint, S3Server


@dataclass(frozen=True, slots=True)
class StoredBench:
    """A schema of the benchmark's server whose database knows the stores, and the S3 server's address.

    `folder` is where the local store lies, `location` the bucket's part that is the other one.
    """

    schema: dj.Schema
    folder: Path
    location: str
    endpoint: S3Endpoint

    def variable(self) -> str:
        """The same stores as DataJoint reads them from `DJ_STORES`."""
        address = self.endpoint
        return json.dumps(
            {
                "default": FOLDER,
                FOLDER: {"protocol": "file", "location": str(self.folder)},
                BUCKET: {
                    "protocol": "s3",
                    "endpoint": address.address,
                    "bucket": address.bucket,
                    "location": self.location,
                    "access_key": address.access_key,
                    "secret_key": address.secret_key,
                    "secure": False,
                },
            }
        )


@contextmanager
def stored_bench(bench: Bench, schema: str) -> Iterator[StoredBench]:
    """A schema with stores, dropped afterwards."""
    folder, location = bench.home / f"objects-{schema}", uuid4().hex
    with S3Server(bench.home / "s3") as endpoint:
        stores = {
            FOLDER: StoreSettings(FOLDER, "file", str(folder)),
            BUCKET: endpoint.settings(BUCKET, location),
        }
        settings = Settings(home=bench.home, stores=StoresSettings(FOLDER, by_name=FrozenMapping(stores)))
        database = Database(lambda: settings)
        stored = dj.Schema(schema, connection=database)
        try:
            yield StoredBench(stored, folder, location, endpoint)
        finally:
            stored.drop(prompt=False)
            database.close()
