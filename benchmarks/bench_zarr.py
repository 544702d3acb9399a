"""An array of 200 MB as a value of a row, against zarr-python alone with the same chunks and compressor."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, Final, Literal
from uuid import uuid4

import numpy as np
import zarr
from zarr.storage import LocalStore, ObjectStore

import djflow as dj
from benchmarks.report import AtMost, Row
from benchmarks.server import Bench
from benchmarks.store_names import BUCKET, FOLDER
from benchmarks.stores import StoredBench, stored_bench
from benchmarks.timing import race, scaled

FRAMES: Final = 200
FRAME: Final = (500, 500)  # of float32: a megabyte
WRITE: Final = AtMost(1 / 0.9)
READ: Final = AtMost(1 / 0.95)

Array = np.ndarray[Any, np.dtype[np.float32]]
Mode = Literal["r", "w"]


class Movie(dj.Manual):
    """A movie in each of two stores."""

    definition = """
    movie : int32
    ---
    frames = null : <zarr@folder>
    far_frames = null : <zarr@bucket>
    """


def measure(bench: Bench) -> Iterator[Row]:
    """Write and read a whole array, in a folder and in a bucket."""
    values = movie(scaled(FRAMES))
    with stored_bench(bench, "bench_zarr") as stored:
        stored.schema(Movie)
        bare = {FOLDER: bare_folder(stored), BUCKET: bare_bucket(stored)}
        for store, attribute in ((FOLDER, "frames"), (BUCKET, "far_frames")):
            yield from written_and_read(attribute, values, store, bare[store])


def movie(frames: int) -> Array:
    """Smooth changes with noise, as a camera gives them."""
    random = np.random.default_rng(3)
    scene = random.normal(100, 20, FRAME).astype("f4")
    return np.stack([scene + random.integers(0, 8, FRAME, "u1") for _ in range(frames)])


def bare_folder(stored: StoredBench) -> Callable[[str, Mode], Any]:
    return lambda name, mode: LocalStore(stored.folder / "bare" / name, read_only=mode == "r")


def bare_bucket(stored: StoredBench) -> Callable[[str, Mode], Any]:
    import obstore

    def store(name: str, mode: Mode) -> ObjectStore[Any]:
        address = stored.endpoint
        bucket = obstore.store.S3Store(
            address.bucket,
            prefix=f"{stored.location}/bare/{name}",
            endpoint=f"http://{address.address}",
            region="us-east-1",
            access_key_id=address.access_key,
            secret_access_key=address.secret_key,
            client_options={"allow_http": True},
            virtual_hosted_style_request=False,
        )
        return ObjectStore(bucket, read_only=mode == "r")

    return store


def written_and_read(
    attribute: str, values: Array, store: str, bare: Callable[[str, Mode], Any]
) -> Iterator[Row]:
    table, number = Movie(), count(len(Movie()))
    names: list[str] = []
    table.insert1({"movie": next(number), attribute: values})
    like = last(attribute)

    def write() -> None:
        table.insert1({"movie": next(number), attribute: values})

    def write_bare() -> None:
        names.append(uuid4().hex)
        options = {"chunks": like.chunks, "compressors": like.compressors, "dtype": values.dtype}
        target = zarr.create_array(bare(names[-1], "w"), shape=values.shape, **options)
        target[...] = values

    ours, alone = race(write, write_bare, repeats=3)
    yield Row(f"write an array, {store}", ours, "zarr-python alone", alone, WRITE)

    def read() -> Array:
        return np.asarray(last(attribute)[...])

    def read_bare() -> Array:
        return np.asarray(zarr.open_array(bare(names[-1], "r"), mode="r")[...])

    assert np.array_equal(read(), values)
    assert np.array_equal(read_bare(), values)
    ours, alone = race(read, read_bare, repeats=3)
    yield Row(f"read an array, {store}", ours, "zarr-python alone", alone, READ)


def last(attribute: str) -> Any:
    """The array that was written last."""
    return (Movie() & f"{attribute} IS NOT NULL" & dj.Top(1, "movie DESC")).fetch1(attribute)
