"""Questions to people, and whether to ask them: only somebody at a terminal or a notebook can answer."""

import sys


def asks(prompt: bool | None, *, safe: bool) -> bool:  # noqa: FBT001 - as given by the user
    """Whether to ask: as `prompt` says, by default where somebody can answer and the settings are `safe`."""
    if prompt is not None:
        return prompt
    return safe and (_in_notebook() or (sys.stdin is not None and sys.stdin.isatty()))


def confirmed(question: str) -> bool:
    """Whether the answer to a question is "yes", written out."""
    return input(f"{question} [yes, No] ").strip().lower() == "yes"


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")
