"""djflow's own codecs, one a module; importing this package registers them all."""

from djflow.storage.codecs.arrow import ArrowCodec
from djflow.storage.codecs.attach import AttachCodec
from djflow.storage.codecs.blob import BlobCodec
from djflow.storage.codecs.filepath import FilepathCodec
from djflow.storage.codecs.hash import HashCodec
from djflow.storage.codecs.npy import NpyCodec
from djflow.storage.codecs.npy_ref import NpyRef
from djflow.storage.codecs.object import ObjectCodec
from djflow.storage.codecs.parquet import ParquetCodec
from djflow.storage.codecs.tensor import TensorCodec
from djflow.storage.codecs.zarr import ZarrCodec

__all__ = [
    "ArrowCodec",
    "AttachCodec",
    "BlobCodec",
    "FilepathCodec",
    "HashCodec",
    "NpyCodec",
    "NpyRef",
    "ObjectCodec",
    "ParquetCodec",
    "TensorCodec",
    "ZarrCodec",
]
