"""`<arrow@>`: a frame as an Arrow file in a store."""

from typing import IO

import pyarrow as pa

from djflow.storage.codecs.frames import FrameCodec


class ArrowCodec(FrameCodec):
    """Frames in Arrow's own format, uncompressed, so that local files are mapped and not read.

    >>> ArrowCodec().get_dtype(is_store=True)
    'json'
    """

    name = "arrow"
    format = "arrow"
    extension = ".arrow"

    def writer(self, schema: pa.Schema, file: IO[bytes]) -> pa.RecordBatchFileWriter:
        """A writer that compresses nothing."""
        return pa.ipc.new_file(pa.PythonFile(file, mode="w"), schema)
