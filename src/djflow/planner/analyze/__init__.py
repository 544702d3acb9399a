"""Build plans from operands: bind names, check lineage, derive headings and primary keys.

Every operator of the algebra has one function here; the public relations only call them.
"""

from djflow.planner.analyze.aggregation import aggregate, group, refuse_unnamed
from djflow.planner.analyze.combination import distinct, union
from djflow.planner.analyze.joining import join
from djflow.planner.analyze.matching import homologous
from djflow.planner.analyze.order import top
from djflow.planner.analyze.projection import computed_attribute, project
from djflow.planner.analyze.restriction import equalities, exclude, keep, restrict, semi_join

__all__ = [
    "aggregate",
    "computed_attribute",
    "distinct",
    "equalities",
    "exclude",
    "group",
    "homologous",
    "join",
    "keep",
    "project",
    "refuse_unnamed",
    "restrict",
    "semi_join",
    "top",
    "union",
]
