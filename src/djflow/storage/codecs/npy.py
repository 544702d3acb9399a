"""`<npy@>`: one NumPy array a row, as a `.npy` file in a store."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
import pyarrow as pa

from djflow.storage.chunks import Chunks, advice, check_mask
from djflow.storage.codec import ColumnContext
from djflow.storage.codecs.npy_ref import NpyRef
from djflow.storage.codecs.references import reference_column
from djflow.storage.codecs.store_codec import SchemaCodec
from djflow.storage.handles.checksums import CRC32C, checksum
from djflow.storage.handles.npy_file import parse_dtype
from djflow.storage.staging.draft import MakeDraft
from djflow.storage.staging.npy_draft import NpyDraft, write_stream
from djflow.storage.store import Store


class NpyCodec(SchemaCodec):
    """Arrays in NumPy's own format; fetched as lazy `NpyRef`.

    >>> NpyCodec().get_dtype(is_store=True)
    'json'
    """

    name = "npy"
    extension = ".npy"

    def validate(self, value: Any) -> None:
        """Only arrays, and not of Python objects."""
        if isinstance(value, Chunks):
            value.check()
            return
        if not isinstance(value, np.ndarray | NpyRef):
            raise TypeError(f"<npy@> stores a numpy.ndarray, not {type(value).__name__}; {advice(value)}")
        check_mask(value)
        if value.dtype.hasobject:
            raise TypeError("<npy@> cannot store an array of Python objects; use <blob@>")

    def write(self, value: Any, store: Store, path: str) -> Mapping[str, Any]:
        """Write one array."""
        if isinstance(value, Chunks):
            return write_stream(value.stream(), store, path)
        array = np.asarray(value)
        file = BytesIO()
        np.lib.format.write_array(file, array, allow_pickle=False)
        content = file.getbuffer()
        store.put(path, content)
        described = {"dtype": str(array.dtype), "shape": list(array.shape)}
        return {**described, "size": content.nbytes, "checksum": checksum(content, CRC32C)}

    def stages(self) -> Mapping[str, MakeDraft]:
        """`staged.npy()`."""
        return {"npy": lambda context, _extension: NpyDraft(context, self.extension)}

    def open(self, reference: Mapping[str, Any], store: Store) -> NpyRef:
        """A reference that loads when it is used."""
        shape = tuple(int(extent) for extent in reference["shape"])
        return NpyRef(
            store,
            reference["path"],
            parse_dtype(reference["dtype"]),
            shape,
            file_size=reference.get("size"),
            checksum=reference.get("checksum"),
        )

    def arrow_column(self, column: pa.Array, context: ColumnContext) -> pa.Array:
        """The references as structs of store, path, dtype, shape, size and checksum."""
        del context
        return reference_column(column)
