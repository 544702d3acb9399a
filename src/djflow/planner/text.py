"""Users' strings become scalars: one parser for conditions and computed attributes.

Both dialects that old pipelines mix are read: backticks and double-quoted strings from MySQL,
casts and operators from PostgreSQL. What is not one expression over known attributes and
allowed functions is refused with its position; nothing of the text itself reaches the server.
"""

from djflow.errors import QuerySyntaxError
from djflow.model.table import Heading
from djflow.planner import scalar as s
from djflow.planner.grammar import parse_tree
from djflow.planner.operators import as_condition, refuse_aggregates
from djflow.planner.translate.translator import Translator


def parse_condition(text: str, heading: Heading) -> s.Scalar:
    """The boolean scalar of a restriction string.

    >>> from djflow.model.table import Attribute
    >>> heading = Heading((Attribute("n", s.INT64, s.INT64),))
    >>> s.show(parse_condition("`n` BETWEEN 1 AND 5", heading))
    'n >= 1 AND n <= 5'

    Raises `QuerySyntaxError` for anything but one boolean expression, `UnknownAttributeError` for
    unknown names, `DataTypeError` for values that do not compare.
    """
    scalar = _translated(text, heading)
    refuse_aggregates(scalar, text)
    return as_condition(scalar, lambda reason: QuerySyntaxError(reason, text=text, position=0))


def parse_expression(text: str, heading: Heading) -> s.Scalar:
    """The scalar of a computed attribute or a summary."""
    return _translated(text, heading)


def _translated(text: str, heading: Heading) -> s.Scalar:
    tree = parse_tree(text)
    try:
        return Translator(text, heading).translate(tree)
    except RecursionError:
        raise QuerySyntaxError("The expression is nested too deeply.", text=text) from None
