"""When they did. This module builds upon `animal` and imports it."""

import djflow as dj

from . import animal  # noqa: F401 - a definition refers to it

schema = dj.Schema()


@schema
class Session(dj.Manual):
    definition = """
    -> animal.Animal
    session : int16
    ---
    day : date
    """
