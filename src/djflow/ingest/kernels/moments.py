"""Dates, times of day, timestamps and durations."""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from djflow.ingest.kernels.refusal import CAST_ERRORS, Refusal, cast, require, wrong_kind

_ZONE: Final = r"(Z|[+-]\d\d(:?\d\d)?)$"
_HAS_CLOCK: Final = r"\d:\d"
# What every date and time in ISO form matches, though not only they: some months have no 31st.
_MOMENT: Final = (
    r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
    r"([ T]([01]\d|2[0-3])(:?[0-5]\d(:?[0-5]\d(\.\d+)?)?)?(Z|[+-]\d.*)?)?$"
)
_DAY: Final = 86_400_000_000  # microseconds
_FIRST_DAY: Final = -719_162  # 0001-01-01, the first that Python's datetime can express
_LAST_DAY: Final = 2_932_896  # 9999-12-31
_MICROSECONDS: Final = pa.timestamp("us")


def to_date(array: pa.Array) -> pa.Array:
    """Dates from dates, ISO text, and timestamps at midnight."""
    types = pa.types
    if types.is_date32(array.type):
        return _within_years(array)
    if types.is_date64(array.type):
        return _within_years(array.cast(pa.date32(), safe=False))
    if not (types.is_string(array.type) or types.is_timestamp(array.type)):
        raise wrong_kind(array, "a date")
    moments = to_timestamp(array, _MICROSECONDS)
    dates = moments.cast(pa.date32())
    require(pc.equal(dates.cast(_MICROSECONDS), moments), "has a time of day")
    return dates


def to_timestamp(array: pa.Array, target: pa.DataType) -> pa.Array:
    """Timestamps in microseconds from timestamps, dates and ISO text.

    Whatever has a time zone is converted to UTC; whatever has none is taken as it stands.
    """
    types = pa.types
    if types.is_string(array.type):
        array = _parse(pc.utf8_trim_whitespace(array))
    elif types.is_date(array.type):
        array = _within_years(array.cast(pa.date32(), safe=False)).cast(_MICROSECONDS)
    elif not types.is_timestamp(array.type):
        raise wrong_kind(array, "a date and time")
    reason = "not within the years 1 to 9999"
    moments = _to_microseconds(array, reason)
    instants = moments.cast(pa.int64())
    lowest, highest = _FIRST_DAY * _DAY, (_LAST_DAY + 1) * _DAY
    require(pc.and_(pc.greater_equal(instants, lowest), pc.less(instants, highest)), reason)
    return moments.cast(target)


def to_time(array: pa.Array) -> pa.Array:
    """Times of day from times, ISO text, and durations since midnight."""
    types = pa.types
    if types.is_string(array.type):
        stamps = pc.binary_join_element_wise("1970-01-01", pc.utf8_trim_whitespace(array), " ")
        require(pc.match_substring_regex(array, _HAS_CLOCK), "not a time of day")
        return cast(stamps, _MICROSECONDS, "not a time of day").cast(pa.time64("us"))
    if types.is_duration(array.type):
        passed = array.cast(pa.duration("us"), safe=False).cast(pa.int64())
        require(pc.and_(pc.greater_equal(passed, 0), pc.less(passed, _DAY)), "not within one day")
        return passed.cast(pa.time64("us"))
    if not types.is_time(array.type):
        raise wrong_kind(array, "a time of day")
    return array.cast(pa.time64("us"), safe=False)


def to_duration(array: pa.Array) -> pa.Array:
    """Durations in microseconds from durations of any unit."""
    if not pa.types.is_duration(array.type):
        raise wrong_kind(array, "a duration")
    if array.type.unit == "ns":
        return array.cast(pa.duration("us"), safe=False)
    return cast(array, pa.duration("us"), "too long for an interval")


def _to_microseconds(array: pa.Array, reason: str) -> pa.Array:
    if array.type.tz is not None:
        array = array.cast(pa.timestamp(array.type.unit))
    if array.type.unit == "ns":
        return array.cast(_MICROSECONDS, safe=False)
    return cast(array, _MICROSECONDS, reason)


def _parse(text: pa.Array) -> pa.Array:
    reason = "not a date or time in ISO form, such as 2024-01-31 or 2024-01-31 12:30:05.25"
    try:
        return text.cast(_MICROSECONDS)
    except CAST_ERRORS:
        zoned = pc.and_(pc.match_substring_regex(text, _ZONE), pc.match_substring_regex(text, _HAS_CLOCK))
    require(pc.match_substring_regex(text, _MOMENT), reason)
    if not pc.any(zoned).as_py():
        raise Refusal(reason)
    nothing = pa.scalar(None, pa.string())
    local = cast(pc.if_else(zoned, nothing, text), _MICROSECONDS, reason)
    instants = cast(pc.if_else(zoned, text, nothing), pa.timestamp("us", tz="UTC"), reason)
    return pc.coalesce(local, instants.cast(_MICROSECONDS))


def _within_years(dates: pa.Array) -> pa.Array:
    days = dates.cast(pa.int32())
    require(
        pc.and_(pc.greater_equal(days, _FIRST_DAY), pc.less_equal(days, _LAST_DAY)),
        "not within the years 1 to 9999",
    )
    return dates
