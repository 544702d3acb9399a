"""Stored arrays as lazy arrays of Dask."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from djflow.errors import DjflowError

if TYPE_CHECKING:
    import dask.array as da


def lazy_array(source: Any, chunks: Any, reference: Mapping[str, Any]) -> "da.Array":
    """An array of Dask whose tasks index `source`, which is pickled with them.

    Raises `DjflowError` where Dask is not installed.
    """
    try:
        import dask.array as da
        from dask.base import tokenize
    except ImportError as error:
        raise DjflowError("to_dask_array needs Dask: pip install 'djflow[dask]'.") from error
    # Objects never change, so that their paths name their content and nothing is read to find a name.
    name = f"djflow-{tokenize(reference, chunks)}"
    meta = np.empty((0,) * len(source.shape), source.dtype)
    made: da.Array = da.from_array(source, chunks=chunks, name=name, meta=meta)  # type: ignore[no-untyped-call]
    return made
