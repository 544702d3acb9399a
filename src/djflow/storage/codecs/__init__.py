"""djflow's own codecs, one a module; importing this package registers them all."""

from djflow.storage.codecs.blob import BlobCodec
from djflow.storage.codecs.hash import HashCodec
from djflow.storage.codecs.npy import NpyCodec
from djflow.storage.codecs.npy_ref import NpyRef
from djflow.storage.codecs.zarr import ZarrCodec

__all__ = ["BlobCodec", "HashCodec", "NpyCodec", "NpyRef", "ZarrCodec"]
