"""Records of the logger `djflow.pipeline`, for people and for programs that collect them.

Each has, besides its message, attributes for the latter: `table`, and as the event has them `keys`, `made`,
`skipped`, `failed`, `seconds`, `rows`, `bytes`, `jobs`, `worker`, `key`, `error`.
"""

import logging
from typing import Final

from djflow.pipeline.events import Began, Ended, Event, Queued
from djflow.pipeline.telling import told

_LOGGER: Final = logging.getLogger("djflow.pipeline")


def log(event: Event) -> None:
    """Keys that were made as INFO, those that failed as WARNING, the rest as DEBUG."""
    name = event.table.__name__
    match event:
        case Queued(_, jobs):
            _LOGGER.debug("%s: %d jobs queued", name, jobs, extra={"table": name, "jobs": jobs})
        case Began(_, keys, worker):
            extra = {"table": name, "keys": len(keys), "worker": worker}
            _LOGGER.debug("%s: %s began with %d keys", name, worker, len(keys), extra=extra)
        case Ended():
            _log_ended(name, event)


def _log_ended(name: str, event: Ended) -> None:
    extra = {
        "table": name,
        "keys": len(event.keys),
        "made": event.made,
        "skipped": event.skipped,
        "failed": len(event.failed),
        "seconds": event.seconds,
        "rows": event.rows,
        "bytes": event.nbytes,
    }
    _LOGGER.info("%s: %d made in %.3f s", name, event.made, event.seconds, extra=extra)
    for key, error in event.failed:
        details = {"table": name, "key": dict(key), "error": type(error).__name__}
        _LOGGER.warning("%s: %s failed: %s", name, dict(key), told(error), extra=details)
