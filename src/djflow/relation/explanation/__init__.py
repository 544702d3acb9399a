"""How a query is answered, for people: as text, as HTML, and as SQL to learn from."""

from djflow.relation.explanation.explanation import Explanation, explained
from djflow.relation.explanation.written import readable_sql

__all__ = ["Explanation", "explained", "readable_sql"]
