"""The protocol of codecs whose values Spark can keep, as `dj.spark`.

>>> from djflow.spark import SparkAdapter
>>> isinstance(3, SparkAdapter)
False
"""

from djflow.storage.spark import SparkAdapter

__all__ = ["SparkAdapter"]
