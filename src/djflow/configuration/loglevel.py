"""The setting `loglevel`: the level of the logger `djflow`."""

from djflow.configuration.settings import Settings

_NAME = "loglevel"


def apply_loglevel(before: Settings | None, after: Settings) -> None:
    """Give the logger the level that was set, or none of its own where it is no longer set.

    A level that a program gave the logger itself stays while the setting is nobody's.
    """
    is_set, was_set = _NAME in after.origins, before is not None and _NAME in before.origins
    if is_set or was_set:
        import logging

        logging.getLogger("djflow").setLevel(after.loglevel if is_set else logging.NOTSET)
