"""Names that the planner makes up."""

from collections.abc import Collection


def unused_name(wanted: str, taken: Collection[str]) -> str:
    """A name like the one wanted that is not taken yet.

    >>> unused_name("n", ("n", "n_1"))
    'n_2'
    """
    number, name = 0, wanted
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    return name
