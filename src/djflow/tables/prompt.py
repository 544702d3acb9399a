"""Questions to people, and whether to ask them: only somebody at a terminal or a notebook can answer."""

import sys

from djflow.errors import DjflowError


def asks(prompt: bool | None, *, safe: bool) -> bool:  # noqa: FBT001 - as given by the user
    """Whether to ask: as `prompt` says, by default where somebody can answer and the settings are `safe`."""
    if prompt is not None:
        return prompt
    return safe and (_in_notebook() or (sys.stdin is not None and sys.stdin.isatty()))


def confirmed(question: str) -> bool:
    """Whether the answer to a question is "yes", written out.

    Raises `DjflowError` where nobody can answer.
    """
    try:
        answer = input(f"{question} [yes, No] ")
    except EOFError:
        raise DjflowError(
            f"{question!r} was asked, and there is nobody to answer: nothing was changed. "
            "Pass prompt=False, or run it at a terminal or in a notebook."
        ) from None
    return answer.strip().lower() == "yes"


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")
