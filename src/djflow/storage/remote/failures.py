"""What an error of a file system means, whichever library it comes from."""

import errno
import socket
from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import Any, Final


class Failure(Enum):
    """Why an operation failed."""

    ABSENT = auto()  # the object is not there
    REFUSED = auto()  # the credentials, or their rights
    UNREACHABLE = auto()  # no such server or bucket
    PASSING = auto()  # throttling, overload, a broken connection
    FULL = auto()
    OTHER = auto()


_CODES: Final = {
    "NoSuchBucket": Failure.UNREACHABLE,
    "InvalidBucketName": Failure.UNREACHABLE,
    "AccessDenied": Failure.REFUSED,
    "InvalidAccessKeyId": Failure.REFUSED,
    "SignatureDoesNotMatch": Failure.REFUSED,
    "SlowDown": Failure.PASSING,
    "Throttling": Failure.PASSING,
    "ThrottlingException": Failure.PASSING,
    "RequestLimitExceeded": Failure.PASSING,
    "RequestTimeout": Failure.PASSING,
    "InternalError": Failure.PASSING,
    "ServiceUnavailable": Failure.PASSING,
    "IncompleteBody": Failure.PASSING,
    "BadDigest": Failure.PASSING,
    "QuotaExceeded": Failure.FULL,
    "XMinioStorageFull": Failure.FULL,
}
_STATUSES: Final = {
    401: Failure.REFUSED,
    403: Failure.REFUSED,
    404: Failure.ABSENT,
    408: Failure.PASSING,
    429: Failure.PASSING,
    500: Failure.PASSING,
    502: Failure.PASSING,
    503: Failure.PASSING,
    504: Failure.PASSING,
    507: Failure.FULL,
}
# By name, so that none of these libraries is imported to recognise its errors.
_NAMES: Final = {
    "EndpointConnectionError": Failure.UNREACHABLE,
    "ConnectTimeoutError": Failure.UNREACHABLE,
    "ClientConnectorError": Failure.UNREACHABLE,
    "SSLError": Failure.UNREACHABLE,
    "NoCredentialsError": Failure.REFUSED,
    "PartialCredentialsError": Failure.REFUSED,
    "HTTPClientError": Failure.PASSING,
    "ClientPayloadError": Failure.PASSING,
    "ServerDisconnectedError": Failure.PASSING,
    "IncompleteRead": Failure.PASSING,
    "ResponseParserError": Failure.PASSING,
    "FSTimeoutError": Failure.PASSING,
    "ServiceRequestError": Failure.UNREACHABLE,
    "ServiceResponseError": Failure.PASSING,
}
_TYPES: Final = (
    (FileNotFoundError, Failure.ABSENT),
    (NotADirectoryError, Failure.ABSENT),
    (IsADirectoryError, Failure.ABSENT),
    (PermissionError, Failure.REFUSED),
    (ConnectionRefusedError, Failure.UNREACHABLE),
    (socket.gaierror, Failure.UNREACHABLE),
    (ConnectionError, Failure.PASSING),
    (TimeoutError, Failure.PASSING),
)
_ERRNOS: Final = dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), Failure.FULL)


def diagnose(error: BaseException) -> Failure:
    """Why an operation failed: told by the error, or else by the one that caused it.

    >>> diagnose(FileNotFoundError("a")), diagnose(TimeoutError()), diagnose(ValueError())
    (<Failure.ABSENT: 1>, <Failure.PASSING: 4>, <Failure.OTHER: 6>)
    """
    causes = list(_causes(error))
    for clue in _CLUES:  # what the server says counts more than what a library makes of it
        for cause in causes:
            found = clue(cause)
            if found is not None:
                return found
    return Failure.OTHER


def passes(error: Exception) -> bool:
    """Whether the same operation may succeed a little later."""
    return diagnose(error) is Failure.PASSING


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _by_code(error: BaseException) -> Failure | None:
    code = _answer(error).get("Error", {}).get("Code")
    return _CODES.get(str(code or getattr(error, "error_code", "")))


def _by_status(error: BaseException) -> Failure | None:
    answered = _answer(error).get("ResponseMetadata", {}).get("HTTPStatusCode")
    told = (answered, *(getattr(error, name, None) for name in ("status_code", "status", "code")))
    return next(
        (_STATUSES[status] for status in told if isinstance(status, int) and status in _STATUSES), None
    )


def _by_errno(error: BaseException) -> Failure | None:
    return _ERRNOS.get(getattr(error, "errno", None) or 0)


def _by_name(error: BaseException) -> Failure | None:
    return next((_NAMES[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in _NAMES), None)


def _by_type(error: BaseException) -> Failure | None:
    return next((failure for kind, failure in _TYPES if isinstance(error, kind)), None)


def _answer(error: BaseException) -> dict[str, Any]:
    answer = getattr(error, "response", None)
    return answer if isinstance(answer, dict) else {}


_CLUES: Final[tuple[Callable[[BaseException], Failure | None], ...]] = (
    _by_code,
    _by_status,
    _by_errno,
    _by_name,
    _by_type,
)
