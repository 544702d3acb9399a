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

    def write_batches(self, batches: pa.RecordBatchReader, file: IO[bytes]) -> int:
        """Write all batches."""
        rows = 0
        with pa.ipc.new_file(pa.PythonFile(file, mode="w"), batches.schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
                rows += len(batch)
        return rows
