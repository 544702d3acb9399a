"""`<parquet@>`: a frame as a compressed Parquet file in a store."""

from typing import IO, TYPE_CHECKING

import pyarrow as pa

from djflow.storage.codecs.frames import FrameCodec

if TYPE_CHECKING:
    from pyarrow import parquet


class ParquetCodec(FrameCodec):
    """Frames in Parquet, which take little room and are read column by column.

    >>> ParquetCodec().get_dtype(is_store=True)
    'json'
    """

    name = "parquet"
    format = "parquet"
    extension = ".parquet"

    def writer(self, schema: pa.Schema, file: IO[bytes]) -> "parquet.ParquetWriter":
        """A writer that compresses with Zstandard."""
        from pyarrow import parquet

        return parquet.ParquetWriter(file, schema, compression="zstd")
