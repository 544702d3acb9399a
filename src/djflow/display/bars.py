"""Bars of progress: widgets in notebooks that have them, text anywhere else."""

import warnings
from typing import Any


def progress_bar(**options: Any) -> Any:
    """A bar of tqdm, with its options.

    >>> with progress_bar(total=2, disable=True) as shown:
    ...     shown.update(2)
    """
    with warnings.catch_warnings():
        # A notebook without ipywidgets is told so with a path of its machine; text does as well.
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm
    return tqdm(**options)
