"""The typed error for what a file system raised."""

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from djflow.configuration import StoreSettings
from djflow.configuration.secret import MASK, Secret
from djflow.errors import BucketInaccessible, MissingExternalFile, StorageError, StoreFullError
from djflow.storage.remote.failures import Failure, diagnose

_LONGEST: Final = 300  # characters of another library's message


def refusal(
    error: Exception, path: str, settings: StoreSettings, url: str, is_there: Callable[[], bool]
) -> StorageError:
    """The error to raise for an operation on `path`; `is_there` tells whether the bucket exists."""
    endpoint = settings.options.get("endpoint")
    title = f"store {settings.name!r} at {url}" + (f" ({endpoint})" if endpoint else "")
    reason, named = _reason(error, settings), repr(path) if path else "its files"
    match diagnose(error):
        case Failure.ABSENT if _holds(is_there):
            return MissingExternalFile(f"{named} is not in {title}.").suggest(
                "Check that the store's location is the one under which the row was written."
            )
        case Failure.ABSENT:
            return BucketInaccessible(f"The bucket of {title} does not exist.").suggest(
                "Create it, or correct the store's settings."
            )
        case Failure.REFUSED:
            return BucketInaccessible(f"{title} refuses access to {named}: {reason}.").suggest(
                f"Check the credentials below 'stores.{settings.name}', and what they permit."
            )
        case Failure.UNREACHABLE:
            return BucketInaccessible(f"{title} cannot be reached: {reason}.").suggest(
                f"Check the network and 'stores.{settings.name}.endpoint'."
            )
        case Failure.PASSING:
            return BucketInaccessible(f"{title} failed again and again at {named}: {reason}.").suggest(
                "Try again later: the server is overloaded or the network is broken."
            )
        case Failure.FULL:
            return StoreFullError(f"No room for {named} in {title}: {reason}.")
        case Failure.OTHER:
            return StorageError(f"{named} in {title}: {reason}.")


def _holds(is_there: Callable[[], bool]) -> bool:
    try:
        return is_there()
    except Exception:  # noqa: BLE001 - that the object is not there is known, whatever is wrong besides
        return True


def masked(text: str, settings: StoreSettings) -> str:
    """A text without a store's credentials.

    >>> from djflow.configuration.frozen import FrozenMapping
    >>> masked("no user 'ann'", StoreSettings("main", options=FrozenMapping({"key": Secret("ann")})))
    "no user '***'"
    """
    for value in settings.options.values():
        if isinstance(value, Secret) and value:
            text = text.replace(value.reveal(), MASK)
    return text


def _reason(error: Exception, settings: StoreSettings) -> str:
    _mask_causes(error, settings)
    text = " ".join(str(error).split()) or type(error).__name__
    return masked(text, settings)[:_LONGEST].rstrip(".")


def _mask_causes(error: BaseException | None, settings: StoreSettings) -> None:
    """Tracebacks show the texts of an error's causes too."""
    while error is not None:
        with suppress(AttributeError):  # of an error that cannot be changed
            error.args = tuple(
                text if (text := masked(str(given), settings)) != str(given) else given
                for given in error.args
            )
        error = error.__cause__ or error.__context__
