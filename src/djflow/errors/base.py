"""What all errors share."""

from typing import Any, Self


class DjflowError(Exception):
    """Base of all djflow errors; its attributes carry the facts of the message.

    Errors survive pickling with all their fields, so that a worker process can send them home.

    >>> import pickle
    >>> error = UnknownAttributeError("subjct", ["subject", "dob"])
    >>> again = pickle.loads(pickle.dumps(error))
    >>> again.name, str(again) == str(error)
    ('subjct', True)
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)

    def suggest(self, *advice: str) -> Self:
        """Attach advice on what to do next, shown below the message by Python's traceback."""
        for line in advice:
            self.add_note(line)
        return self


def _rebuild(cls: type[DjflowError], args: tuple[Any, ...], state: dict[str, Any]) -> DjflowError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error
