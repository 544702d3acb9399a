"""A value that never shows itself."""

import re
from typing import Final

from djflow.configuration.frozen import FrozenMapping

MASK: Final = "***"

_SECRET_NAME: Final = re.compile(
    r"(?i)^key$|^sas|password|passwd|secret|token|credential|connection_string"
    r"|(api|access|account|private|encryption)_?key"
)
_USER_INFO: Final = re.compile(r"://[^/@\s]*:[^/@\s]*@")


class Secret:
    """A text whose `repr`, `str` and formatting are `***`; `reveal()` gives the text.

    It is immutable, compares and hashes by its text, is false when empty, and pickles, so that worker
    processes can be given it. JSON encoders refuse it.

    >>> password = Secret("tr0ub4dor")
    >>> password, f"{password:>5}", password.reveal()
    (***, '***', 'tr0ub4dor')
    """

    # Not a dataclass: `dataclasses.asdict` would unpack it.
    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> tuple[type["Secret"], tuple[str]]:
        return Secret, (self._text,)


def is_secret_name(name: str) -> bool:
    """Whether a setting of this name holds a credential.

    >>> is_secret_name("secret_key"), is_secret_name("bucket")
    (True, False)
    """
    return _SECRET_NAME.search(name) is not None


def has_credentials(text: str) -> bool:
    """Whether a text is a URL with a password in it.

    >>> has_credentials("https://me:pw@s3.lab.org"), has_credentials("https://s3.lab.org")
    (True, False)
    """
    return _USER_INFO.search(text) is not None


def sealed(name: str, value: object) -> object:
    """The value made immutable, with every credential in it wrapped in a `Secret`.

    >>> sealed("options", {"token": "abc", "sizes": [2, 2]})
    {'token': ***, 'sizes': (2, 2)}
    """
    match value:
        case str() if is_secret_name(name) or has_credentials(value):
            return Secret(value)
        case FrozenMapping():
            return value
        case dict():
            return FrozenMapping({key: sealed(key, item) for key, item in value.items()})
        case list() | tuple():
            return tuple(sealed(name, item) for item in value)
        case _:
            return value


def holds_credential(name: str, value: object) -> bool:
    """Whether a setting of this name and value has a credential in it.

    >>> holds_credential("main", {"bucket": "lab"}), holds_credential("main", {"token": "abc"})
    (False, True)
    """
    return _has_secret(sealed(name, value))


def _has_secret(value: object) -> bool:
    match value:
        case Secret():
            return bool(value)
        case FrozenMapping():
            return any(map(_has_secret, value.values()))
        case tuple():
            return any(map(_has_secret, value))
        case _:
            return False


def revealed(value: object) -> object:
    """The plain value: texts for secrets, dicts and lists for their immutable twins.

    >>> revealed(sealed("options", {"token": "abc", "sizes": [2, 2]}))
    {'token': 'abc', 'sizes': [2, 2]}
    """
    match value:
        case Secret():
            return value.reveal()
        case FrozenMapping():
            return {key: revealed(item) for key, item in value.items()}
        case tuple():
            return [revealed(item) for item in value]
        case _:
            return value
