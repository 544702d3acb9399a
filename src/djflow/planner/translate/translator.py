"""The handlers together."""

from djflow.planner.translate.calls import Calls
from djflow.planner.translate.names import Names
from djflow.planner.translate.predicates import Predicates


class Translator(Names, Predicates, Calls):
    """Turns a parsed tree into scalars over one heading."""
