"""Values that stand for several: what a dict may give for one attribute to mean IN."""

from collections.abc import Iterable, Mapping
from typing import Any


def is_listed(kind: type) -> bool:
    """Whether values of a type are collections: lists, sets, ranges, views, generators, arrays, Series.

    >>> is_listed(list), is_listed(range), is_listed(str), is_listed(dict)
    (True, True, False, False)
    """
    return issubclass(kind, Iterable) and not issubclass(kind, str | bytes | bytearray | memoryview | Mapping)


def listed(values: Any) -> list[Any]:
    """The values of a collection, without the missing ones of pandas.

    >>> import numpy as np
    >>> listed(np.array(["2024-01-31"], dtype="datetime64[ns]"))
    [datetime.datetime(2024, 1, 31, 0, 0)]

    Raises `ValueError` for an array of no or several dimensions, a frame or a query.
    """
    if getattr(values, "ndim", 1) != 1 or hasattr(values, "columns") or hasattr(values, "logical_plan"):
        raise ValueError("not a list of values")
    if type(values).__module__.partition(".")[0] == "pandas":
        values = values.dropna().to_numpy()
    if getattr(getattr(values, "dtype", None), "kind", "") == "M":
        values = values.astype("datetime64[us]")  # finer ones would become numbers
    for method in ("tolist", "to_list", "to_pylist"):
        if hasattr(values, method):
            return list(getattr(values, method)())
    return list(values)
