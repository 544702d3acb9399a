"""What codecs offer whose values Spark can keep in columns of its own types."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class SparkAdapter(Protocol):
    """A codec that tells its values in types that Spark has.

    A codec takes part by defining `to_spark`; nothing has to be inherited or registered. Those that keep
    anything at all, `<blob>` and `<hash@>`, do not.

    >>> from djflow.storage.codec import get_codec
    >>> isinstance(get_codec("<tensor>"), SparkAdapter), isinstance(get_codec("<blob@>"), SparkAdapter)
    (True, False)
    """

    def to_spark(self, decoded: Any, *, key: Mapping[str, Any] | None = None) -> Any:
        """What a value of the codec is in Spark.

        `decoded` is what the codec's `decode` gives, and `key` its row's primary key, where that matters.

        Returns `None`, a `bool`, `int`, `float`, `str`, `bytes`, `date` or `datetime`, or lists of these,
        or dicts of these by text; both may nest.
        """
        ...
