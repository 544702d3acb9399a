"""Collection of what rows no longer need in stores, as `dj.gc`.

>>> from djflow import gc
>>> gc.GRACE.days
7
"""

from djflow.tables.objects.collector import GRACE, GarbageCollector

__all__ = ["GRACE", "GarbageCollector"]
