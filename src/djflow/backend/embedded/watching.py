"""Seeing to it that a cluster with clients has a watcher."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from djflow.backend.embedded.commands import Account, server_environment
from djflow.backend.embedded.layout import Layout
from djflow.backend.embedded.locks import claim
from djflow.errors import ServerError

_SCRIPT: Final = Path(__file__).with_name("watcher.py")


def ensure_watcher(layout: Layout, account: Account, stop_command: list[str]) -> None:
    """Start a detached watcher, unless one lives. The caller must share the users' lock."""
    if sys.platform == "win32":
        from djflow.backend.embedded.windows import start_watcher

        start_watcher(layout.users_lock, stop_command)
        return
    lock = claim(layout.watcher_lock)
    if lock is None:
        return
    try:
        _spawn(layout, account, stop_command, lock)
    finally:
        # the watcher has inherited the lock; closing this copy leaves it locked
        os.close(lock)


def _spawn(layout: Layout, account: Account, stop_command: list[str], lock: int) -> None:
    user, group = account.drop_to or ("-", "-")
    isolated = [sys.executable, "-I", "-S", _SCRIPT]
    arguments = [lock, layout.users_lock, layout.data, user, group, *account.prefix, *stop_command]
    done = subprocess.run(  # noqa: S603 - a list, never a shell
        [str(word) for word in (*isolated, *arguments)],
        cwd="/",
        env=server_environment(os.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=[lock],
        start_new_session=True,
        check=False,
    )
    if done.returncode != 0:
        raise ServerError(
            f"The process that stops the server after its last client did not start ({done.returncode})."
        )
