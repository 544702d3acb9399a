"""Whether codecs would take values, found without writing anything."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from djflow.errors import DataTypeError
from djflow.ingest.inspect import CheckCodec
from djflow.model.table import Attribute, Table
from djflow.model.types import CodecType
from djflow.relation.database import Database
from djflow.storage.codec import ColumnContext, codec_for
from djflow.storage.codecs.store_codec import StoreCodec


def codec_check(table: Table, database: Database) -> CheckCodec:
    """What tells which values of a table's codec columns an insert would refuse, by reason."""

    def check(
        attribute: Attribute, values: Sequence[Any], keys: Sequence[Mapping[str, Any]]
    ) -> Mapping[str, Sequence[int]]:
        assert isinstance(attribute.type, CodecType)  # noqa: S101 - only such columns are asked about
        context = ColumnContext(table.name, attribute.name, attribute.type, database.open_store, keys)
        if attribute.type.store is None and _passes(values, context):
            return {}
        refused: dict[str, list[int]] = {}
        for place, value in enumerate(values):
            reason = "" if value is None else _fault(value, context, place)
            if reason:
                refused.setdefault(reason, []).append(place)
        return refused

    return check


def _passes(values: Sequence[Any], context: ColumnContext) -> bool:
    """Whether a codec that writes to no store encodes the whole column."""
    try:
        codec_for(context.type).encode_column(values, context)
    except (DataTypeError, TypeError, ValueError):
        return False
    return True


def _fault(value: Any, context: ColumnContext, place: int) -> str:
    """Why a value is refused, or nothing."""
    try:
        _try(value, context, place)
    except DataTypeError as error:
        return error.reason
    except (TypeError, ValueError) as error:
        return f"cannot be encoded ({error})"
    return ""


def _try(value: Any, context: ColumnContext, place: int) -> None:
    codec = codec_for(context.type)
    if context.type.store is None:
        codec.encode_column([value], replace(context, keys=[context.key(place)]))
        return
    codec.validate(value)
    chained = codec.get_dtype(is_store=True).strip()
    # Only a codec whose result is handed to another one encodes without writing to the store itself.
    if chained.startswith("<") and not isinstance(codec, StoreCodec):
        encoded = codec.encode(value, key=context.key(place) or None, store_name=context.type.store)
        inner = replace(context.type, name=chained.strip("<>").partition("@")[0])
        _try(encoded, replace(context, type=inner), place)
