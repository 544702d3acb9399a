"""What `explain()` returns: how a query will be, or was, answered."""

import html
import re
from dataclasses import dataclass

from djflow.engine.compile import Compiled
from djflow.planner.explain import show_plan
from djflow.planner.lower_sql import Statement
from djflow.planner.nodes import is_ordered
from djflow.sql.identifiers import literal


@dataclass(frozen=True, slots=True)
class Explanation:
    """The logical plan, the optimised plan with the rules that fired, the server's and the local part."""

    compiled: Compiled
    analysis: str = ""

    def sections(self) -> tuple[tuple[str, str], ...]:
        """Titles and texts, in reading order."""
        compiled = self.compiled
        fired = ", ".join(dict.fromkeys(compiled.fired)) or "none"
        parts = [
            ("Logical plan", show_plan(compiled.logical)),
            (f"Optimised plan (rules: {fired})", show_plan(compiled.optimised)),
            (
                f"Server ({'psycopg' if compiled.is_small else 'ADBC'})",
                compiled.statement.pretty + self._values(),
            ),
            ("Local", self._local()),
        ]
        if self.analysis:
            parts.append(("PostgreSQL", self.analysis))
        return tuple(parts)

    def _values(self) -> str:
        shown = []
        for number, parameter in enumerate(self.compiled.statement.parameters, 1):
            text = (
                repr(parameter.value)
                if not hasattr(parameter.value, "type")
                else f"{len(parameter.value)} values"
            )
            shown.append(f"\n  ${number} = {text if len(text) <= 60 else text[:57] + '...'}")  # noqa: PLR2004 - a line
        return "".join(shown)

    def _local(self) -> str:
        key = self.compiled.logical.heading.primary_key
        if is_ordered(self.compiled.logical) or not key:
            return "nothing"
        return f"sort by {', '.join(key)}, unless the rows arrive so"

    def __str__(self) -> str:
        return "\n\n".join(f"{title}\n{_indented(text)}" for title, text in self.sections())

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return "".join(
            f"<h4>{html.escape(title)}</h4><pre>{html.escape(text)}</pre>" for title, text in self.sections()
        )


def _indented(text: str) -> str:
    return "\n".join("  " + line for line in text.splitlines())


def readable_sql(statement: Statement) -> str:
    """The statement with its values written in, to be read or pasted into psql: never sent by djflow."""

    def written(match: re.Match[str]) -> str:
        value = statement.parameters[int(match.group(1)) - 1].value
        if hasattr(value, "to_pylist"):
            value = value.to_pylist()
        if isinstance(value, list):
            return f"ARRAY[{', '.join(_literal(item) for item in value)}]"
        return _literal(value)

    return re.sub(r"\$(\d+)(?=::)", written, statement.pretty)


def _literal(value: object) -> str:
    match value:
        case None:
            return "NULL"
        case bool() | int() | float():
            return str(value)
        case bytes():
            return f"'\\x{value.hex()}'"
        case _:
            return literal(str(value))
