"""Names and constants."""

from typing import TYPE_CHECKING, Final

from djflow.errors import UnknownAttributeError
from djflow.planner import scalar as s
from djflow.planner.coerce import constant_type
from djflow.planner.grammar import place_of
from djflow.planner.translate.base import Base

if TYPE_CHECKING:
    from sqlglot import exp

_SHOWN: Final = 60


class Names(Base):
    """Handlers of names and constants."""

    def _on_column(self, tree: "exp.Column") -> s.Scalar:
        if tree.table:
            raise self._refuse(tree, "Write the attribute's name alone, without a table.")
        name = tree.name
        if name not in self.heading and not tree.this.args.get("quoted") and name.lower() in self.heading:
            name = name.lower()
        if name not in self.heading:
            raise self._unknown(name, place_of(tree))
        return s.Column(name, self.heading[name].stored)

    def _unknown(self, name: str, place: int | None) -> UnknownAttributeError:
        shown = repr(name) if len(name) < _SHOWN else "'...'"
        hint = f"A text stands in single quotes: {shown}."
        if self.text.strip('`" ') == name and self.heading.names:
            hint = f"For a value, restrict by a dict: {{{self.heading.names[0]!r}: {shown}}}."
        return UnknownAttributeError(name, self.heading.names, text=self.text, position=place, hint=hint)

    def _on_literal(self, tree: "exp.Literal") -> s.Scalar:
        if tree.is_string:
            place = place_of(tree)
            if tree.this in self.heading and place is not None and self.text[place] == '"':
                raise self._refuse(
                    tree,
                    f'"{tree.this}" could be the attribute or a text. '
                    f"Write `{tree.this}` for the attribute, '{tree.this}' for the text.",
                )
            return s.Constant(tree.this, s.TEXT)
        value = int(tree.this) if tree.this.isdecimal() else float(tree.this)
        return s.Constant(value, constant_type(value))

    def _on_boolean(self, tree: "exp.Boolean") -> s.Scalar:
        return s.TRUE if tree.this else s.FALSE

    def _on_null(self, _tree: "exp.Null") -> s.Scalar:
        return s.Constant(None, s.TEXT)

    def _on_paren(self, tree: "exp.Paren") -> s.Scalar:
        return self.translate(tree.this)
