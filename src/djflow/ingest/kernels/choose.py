"""Which kernel a stored type needs."""

from functools import partial
from typing import Final

import pyarrow as pa

from djflow.ingest.kernels.binaries import to_binary
from djflow.ingest.kernels.booleans import to_boolean
from djflow.ingest.kernels.decimals import to_decimal, to_numeric_text
from djflow.ingest.kernels.documents import to_json_text
from djflow.ingest.kernels.floats import to_float
from djflow.ingest.kernels.integers import to_integer
from djflow.ingest.kernels.lists import to_list
from djflow.ingest.kernels.moments import to_date, to_duration, to_time, to_timestamp
from djflow.ingest.kernels.refusal import Kernel
from djflow.ingest.kernels.texts import to_label, to_limited_text, to_native_text, to_text
from djflow.ingest.kernels.uuids import to_uuid
from djflow.model.types import CoreType, EnumType, NativeType, StoredType, arrow_type

_BY_NAME: Final[dict[str, Kernel]] = {
    "json": to_json_text,
    "jsonb": to_json_text,
    "uuid": to_uuid,
    "numeric": to_numeric_text,
}
# Native types in Arrow's text that have a kernel; PostgreSQL itself parses the others.
_OWN_TEXT: Final = frozenset({*_BY_NAME, "text"})
_BY_ARROW: Final[dict[pa.DataType, Kernel]] = {
    **{type_: partial(to_integer, target=type_) for type_ in (pa.int8(), pa.int16(), pa.int32(), pa.int64())},
    **{type_: partial(to_float, target=type_) for type_ in (pa.float32(), pa.float64())},
    **{
        type_: partial(to_timestamp, target=type_)
        for type_ in (pa.timestamp("us"), pa.timestamp("us", tz="UTC"))
    },
    pa.bool_(): to_boolean,
    pa.date32(): to_date,
    pa.time64("us"): to_time,
    pa.duration("us"): to_duration,
    pa.binary(): to_binary,
    pa.string(): to_text,
}


def kernel_for(stored: StoredType) -> Kernel:
    """The kernel that converts an array to `arrow_type(stored)`.

    >>> kernel_for(CoreType("int8"))(pa.array([1, None])).type
    DataType(int8)
    """
    target = arrow_type(stored)
    return partial(_or_nulls, kernel=_typed_kernel(stored, target), target=target)


def _or_nulls(array: pa.Array, kernel: Kernel, target: pa.DataType) -> pa.Array:
    return pa.nulls(len(array), target) if pa.types.is_null(array.type) else kernel(array)


def _typed_kernel(stored: StoredType, target: pa.DataType) -> Kernel:
    if pa.types.is_decimal(target):
        return partial(to_decimal, target=target)
    match stored:
        case EnumType(labels):
            return partial(to_label, labels=labels)
        case CoreType("char" | "varchar", (limit,)):
            return partial(to_limited_text, limit=limit)
        case NativeType(sql) if sql.endswith("[]"):
            return partial(to_list, element=kernel_for(NativeType(sql.removesuffix("[]"))))
        case NativeType(sql) if sql not in _OWN_TEXT and target == pa.string():
            return to_native_text
        case CoreType(name) | NativeType(name):
            return _BY_NAME.get(name) or _BY_ARROW[target]
