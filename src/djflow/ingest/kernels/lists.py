"""Arrays of PostgreSQL's own types."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from djflow.ingest.kernels.refusal import Kernel, of_elements, wrong_kind
from djflow.ingest.plain import plain_array


def to_list(array: pa.Array, element: Kernel) -> pa.Array:
    """Lists whose elements `element` has converted.

    >>> to_list(pa.array([[1], None, []]), lambda values: values.cast(pa.int16())).to_pylist()
    [[1], None, []]
    """
    if not pa.types.is_list(array.type):
        raise wrong_kind(array, "a list")
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    values = of_elements(element)(plain_array(array.flatten()))
    mask = array.is_null() if array.null_count else None
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=mask)
