"""Where in a definition's text an error about its meaning lies."""

import re

from djflow.errors import DefinitionError


def located(error: DefinitionError, text: str) -> DefinitionError:
    r"""The error with the line that it is about and a caret, where its message quotes a part of the text.

    >>> error = DefinitionError("The foreign key refers to 'Subjct', which is no table here.")
    >>> print(located(error, "-> Subjct\nsession : int16"))
    The foreign key refers to 'Subjct', which is no table here.
       1 | -> Subjct
              ^
    """
    if error.line:
        return error
    for quoted in re.findall(r"`([^`]+)`|'([^']+)'", error.reason):
        found = _find(quoted[0] or quoted[1], text)
        if found is not None:
            line, column, source = found
            return DefinitionError(error.reason, text=source, line=line, column=column, hint=error.hint)
    return error


def _find(part: str, text: str) -> tuple[int, int, str] | None:
    words = [re.escape(word) for word in re.findall(r"\w+|[^\w\s]", part)]
    before, after = r"(?<!\w)" * part[:1].isalnum(), r"(?!\w)" * part[-1:].isalnum()
    pattern = re.compile(before + r"\s*".join(words) + after)
    for number, source in enumerate(text.splitlines(), 1):
        match = pattern.search(source)
        if match is not None:
            return number, match.start() + 1, source
    return None
