"""What those who compute hold, and what they tell of it."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Worker:
    """Who computes: the name of a machine and the number of a process there."""

    host: str
    pid: int

    @classmethod
    def here(cls) -> "Worker":
        """The one that asks."""
        return cls(socket.gethostname()[:255], os.getpid())


@dataclass(frozen=True, slots=True)
class Claim:
    """Jobs that one worker took together, the most urgent first, and the token that says so."""

    token: int
    keys: tuple[dict[str, Any], ...]

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the job of a key failed; `is_transient` tells that another try may succeed."""

    key: Mapping[str, Any]
    message: str
    stack: str | None = None
    is_transient: bool = False
