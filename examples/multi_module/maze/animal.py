"""Who takes part. This module needs no other."""

import djflow as dj

schema = dj.Schema()  # `maze.pipeline` gives it its name


@schema
class Strain(dj.Lookup):
    definition = """
    strain : varchar(16)
    """
    contents = [("C57BL/6",), ("BALB/c",)]


@schema
class Animal(dj.Manual):
    definition = """
    animal : varchar(8)
    ---
    -> Strain
    born : date
    """
