"""Ctrl-C and SIGTERM while keys are made: the first is a request, the second an order."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_MESSAGE: Final = "Finishing the keys in hand, then stopping; once more, and it stops now."


class Stopping:
    """Whether somebody asked to stop, and by which signal."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def is_asked(self) -> bool:
        """Whether to begin with nothing more."""
        return self.signal is not None

    def raise_if_asked(self) -> None:
        """Raise what the signal would have raised: `KeyboardInterrupt`, or `SystemExit` for SIGTERM."""
        if self.signal is not None:
            raise _exception(self.signal)


@contextmanager
def gentle_stop(tell: Callable[[str], object] | None = None) -> Iterator[Stopping]:
    """While the first Ctrl-C or SIGTERM asks to finish what is in hand; a second one interrupts it.

    `tell` gets a line for whoever pressed the keys, by default on standard error. Elsewhere than in the
    main thread, where signals do not arrive, and for signals that the program treats itself, nothing
    changes.
    """
    stopping = Stopping()
    if threading.current_thread() is not threading.main_thread():
        yield stopping
        return

    def ask(number: int, frame: FrameType | None) -> None:
        del frame
        if stopping.is_asked():
            raise _exception(signal.Signals(number))
        stopping.signal = signal.Signals(number)
        (tell or _tell)(_MESSAGE)

    before = {each: signal.getsignal(each) for each in _SIGNALS}
    ours = [each for each in _SIGNALS if before[each] in (signal.SIG_DFL, signal.default_int_handler)]
    try:
        for each in ours:
            signal.signal(each, ask)
        yield stopping
    finally:
        for each in ours:
            signal.signal(each, before[each])


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - whoever pressed the keys waits for an answer


def _exception(number: signal.Signals) -> BaseException:
    if number is signal.SIGINT:
        return KeyboardInterrupt("Stopped by Ctrl-C: what was made is committed, the rest given back.")
    return SystemExit(128 + number)
