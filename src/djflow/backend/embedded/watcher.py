"""A process that stops the server when its last client is gone, however that client ended.

Run as a script that imports nothing of djflow, so that it starts fast and stays small:
``python watcher.py LOCK_DESCRIPTOR USERS_FILE DATA_FOLDER USER GROUP STOP_COMMAND...``,
where `LOCK_DESCRIPTOR` is inherited and marks that a watcher lives, and `USER` and `GROUP` are ids or `-`.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def main(arguments: list[str]) -> None:
    """Detach, wait until nobody shares the users' lock, and stop the server."""
    import fcntl

    lock, users_file, data, user, group, *command = arguments
    # opened before the client goes on: it must be the file that the client shares
    users = os.open(users_file, os.O_RDWR)
    if os.fork():
        os._exit(0)
    os.setsid()
    fcntl.flock(users, fcntl.LOCK_EX)
    if is_same_file(users, Path(users_file)) and is_served(Path(data)):
        subprocess.run(  # noqa: S603 - a list, never a shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            **change_of_user(user, group),
        )
    # This order: a client that comes in through the second lock must see that no watcher is left.
    fcntl.flock(int(lock), fcntl.LOCK_UN)
    fcntl.flock(users, fcntl.LOCK_UN)


def is_same_file(descriptor: int, path: Path) -> bool:
    """Whether a path still leads to an open file; if not, the home was removed, or made anew."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def is_served(data: Path) -> bool:
    """Whether a living server process has a data folder, even if it does not answer.

    The lock file alone proves nothing: after a crash its process id may be a zombie's, or belong
    to an innocent program, which `pg_ctl stop` would end.
    """
    try:
        first = (data / "postmaster.pid").read_text(errors="replace").partition("\n")[0]
    except OSError:
        return False
    return first.isdecimal() and serves(int(first), data)


def serves(pid: int, data: Path) -> bool:
    """Whether a process is a living server of a data folder."""
    if sys.platform == "linux":
        return serves_on_linux(Path(f"/proc/{pid}"), data)
    if sys.platform == "win32":
        command = ["tasklist", "/FI", f"PID eq {pid}", "/FO", "CSV", "/NH"]
    else:
        command = ["/bin/ps", "-o", "stat=,comm=", "-p", str(pid)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no shell
    return "postgres" in done.stdout and not done.stdout.startswith("Z")


def serves_on_linux(process: Path, data: Path) -> bool:
    """Whether a process works in a data folder, as servers do.

    In a container, root may be refused to look at processes of others. There the name and the user decide.
    """
    try:
        return (process / "cwd").samefile(data)
    except PermissionError:
        return looks_like_server(process, data)
    except OSError:  # no such process, or a zombie, which has no working folder
        return False


def looks_like_server(process: Path, data: Path) -> bool:
    """Whether a process is called `postgres`, is no zombie, and belongs to the owner of a data folder."""
    try:
        name, state = (process / "stat").read_text(errors="replace").partition("(")[2].rsplit(") ", 1)
        return name == "postgres" and state[0] != "Z" and process.stat().st_uid == data.stat().st_uid
    except OSError:
        return False


def change_of_user(user: str, group: str) -> dict[str, Any]:
    """The keyword arguments of `subprocess.run` for the account that may stop the server."""
    if user == "-":
        return {}
    return {"user": int(user), "group": int(group), "extra_groups": []}


if __name__ == "__main__":
    main(sys.argv[1:])
