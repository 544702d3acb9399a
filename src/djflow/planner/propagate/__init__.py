"""Which rows of other tables some rows reach over foreign keys: for deletes, exports and provenance."""

from djflow.planner.propagate.any_match import any_rows
from djflow.planner.propagate.cascade import cascaded
from djflow.planner.propagate.conjoin import restricted_by
from djflow.planner.propagate.edges import Edge
from djflow.planner.propagate.masters import orphaning
from djflow.planner.propagate.reach import Settle
from djflow.planner.propagate.trace import traced

__all__ = ["Edge", "Settle", "any_rows", "cascaded", "orphaning", "restricted_by", "traced"]
