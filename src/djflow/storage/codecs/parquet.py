"""`<parquet@>`: a frame as a compressed Parquet file in a store."""

from typing import IO

import pyarrow as pa

from djflow.storage.codecs.frames import FrameCodec


class ParquetCodec(FrameCodec):
    """Frames in Parquet, which take little room and are read column by column.

    >>> ParquetCodec().get_dtype(is_store=True)
    'json'
    """

    name = "parquet"
    format = "parquet"
    extension = ".parquet"

    def write_batches(self, batches: pa.RecordBatchReader, file: IO[bytes]) -> int:
        """Write all batches, compressed with Zstandard."""
        from pyarrow import parquet

        rows = 0
        with parquet.ParquetWriter(file, batches.schema, compression="zstd") as writer:
            for batch in batches:
                writer.write_batch(batch)
                rows += len(batch)
        return rows
