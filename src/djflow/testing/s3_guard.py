"""A process that runs a server while somebody uses it, however its users end.

Run as a script that imports nothing of djflow: ``python s3_guard.py USERS_FILE READY_FILE COMMAND...``.
"""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path


def main(users_file: str, ready_file: str, *command: str) -> None:
    """Start the command, wait until nobody shares the users' lock, and end it."""
    import fcntl

    users = os.open(users_file, os.O_RDWR)
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - a list, never a shell
    try:
        fcntl.flock(users, fcntl.LOCK_EX)
    finally:
        server.kill()  # its data are of no use any more
        server.wait()
        with suppress(OSError):
            Path(ready_file).unlink()


if __name__ == "__main__":
    main(*sys.argv[1:])
