"""New interpreters, each with a pipe to this process.

They are started without `multiprocessing`, which would run the user's script again in each of them.
"""

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

# Signals of the terminal and of batch systems reach a whole group of processes; what they mean for the
# work is decided in one place. Handlers, unlike ignored signals, are not inherited by programs that a
# task starts.
_BEGIN: Final = """
import signal, sys
for name in ("SIGINT", "SIGTERM"):
    signal.signal(getattr(signal, name), lambda *_: None)
from multiprocessing import connection
kind = getattr(connection, "PipeConnection", connection.Connection)
pipe = kind(int(sys.argv[1]))
sys.path[:] = pipe.recv()
from djflow.executors.processes.child import serve
serve(pipe)
"""


def launch() -> tuple["subprocess.Popen[bytes]", "Connection[Any, Any]"]:
    """A process that serves tasks, and this end of its pipe."""
    from multiprocessing.connection import Pipe

    ours, theirs = Pipe(duplex=True)
    with theirs:
        handle = theirs.fileno()
        command = [sys.executable, "-P", "-c", _BEGIN, str(handle)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **_inherited(handle))  # noqa: S603 - our own program
    return process, ours


def search_path() -> list[str]:
    """Where this process finds modules: the first thing to tell a new one."""
    return [os.fspath(path) for path in sys.path]


def _inherited(handle: int) -> dict[str, Any]:
    if sys.platform == "win32":
        os.set_handle_inheritable(handle, inheritable=True)
        startup = subprocess.STARTUPINFO(lpAttributeList={"handle_list": [handle]})
        return {"startupinfo": startup, "close_fds": True}
    return {"pass_fds": (handle,)}
