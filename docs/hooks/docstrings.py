"""Docstrings as Markdown: examples are blocks of Python, names of errors lead to their descriptions."""

import re
from collections.abc import Iterator
from typing import Any, Final

from griffe import Extension, Module, Object

# a prompt, and all lines up to a blank one; Markdown would take them for quotations
EXAMPLE: Final = re.compile(r"^>>> .*(?:\n.+)*", re.MULTILINE)
ERROR: Final = re.compile(r"(?<![\[`])`(\w+)`(?!\])")


class Docstrings(Extension):
    """Changes all docstrings of a package once it was read."""

    def on_package(self, *, pkg: Module, **kwargs: Any) -> None:
        """Change the docstrings of one package."""
        del kwargs
        errors = {str(name) for name in pkg["errors"].exports or ()}
        for each in _all_of(pkg):
            if each.docstring:
                text = EXAMPLE.sub(r"```pycon\n\g<0>\n```", each.docstring.value)
                each.docstring.value = ERROR.sub(lambda found: _linked(found, errors), text)


def _linked(found: re.Match[str], errors: set[str]) -> str:
    return f"[{found[0]}][djflow.errors.{found[1]}]" if found[1] in errors else found[0]


def _all_of(parent: Object) -> Iterator[Object]:
    yield parent
    for member in parent.members.values():
        if isinstance(member, Object):  # and no name for what is elsewhere
            yield from _all_of(member)
