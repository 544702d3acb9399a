"""Truth values."""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from djflow.ingest.kernels.refusal import require, wrong_kind

TRUE: Final = ("true", "t", "yes", "y", "on", "1")
FALSE: Final = ("false", "f", "no", "n", "off", "0")


def to_boolean(array: pa.Array) -> pa.Array:
    """Booleans from booleans, from the numbers 0 and 1, and from PostgreSQL's words for true and false."""
    types = pa.types
    if types.is_boolean(array.type):
        return array
    if types.is_string(array.type):
        return _from_words(array)
    if not (types.is_integer(array.type) or types.is_floating(array.type)):
        raise wrong_kind(array, "a boolean")
    is_one = pc.equal(array, pa.scalar(1, array.type))
    require(pc.or_(is_one, pc.equal(array, pa.scalar(0, array.type))), "neither 0 nor 1")
    return is_one


def _from_words(array: pa.Array) -> pa.Array:
    place = pc.index_in(pc.utf8_lower(pc.utf8_trim_whitespace(array)), pa.array([*TRUE, *FALSE]))
    require(pc.or_(place.is_valid(), array.is_null()), "neither true nor false")
    return pc.less(place, len(TRUE))
