"""The definition language: text to `TableSpec` to `Table`, and back."""

from djflow.definition.bind import bind
from djflow.definition.defaults import canonical_default
from djflow.definition.locate import located
from djflow.definition.parser import parse
from djflow.definition.render import render
from djflow.definition.types import parse_type
from djflow.definition.unbind import unbind

__all__ = ["bind", "canonical_default", "located", "parse", "parse_type", "render", "unbind"]
