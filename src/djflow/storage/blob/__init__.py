r"""The blob format: Python and NumPy values as bytes, byte-compatible with DataJoint's `<blob>`.

A blob is a header, `mYm\0` for one numeric array and `dj0\0` for everything else, and one encoded value;
or `ZL123\0`, the length and the zlib stream of such a blob.

>>> unpack(pack({"threshold": 2.5, "channels": [1, 2]}))
{'threshold': 2.5, 'channels': [1, 2]}
"""

from djflow.storage.blob.arrow import arrow_values
from djflow.storage.blob.columns import decode_column, encode_column
from djflow.storage.blob.pack import pack
from djflow.storage.blob.unpack import unpack

__all__ = ["arrow_values", "decode_column", "encode_column", "pack", "unpack"]
