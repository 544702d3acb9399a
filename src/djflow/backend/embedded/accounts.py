"""Choosing the account under which the server runs.

PostgreSQL refuses to run as root, and as a user id without a name, which containers like to use.
There a user namespace, in which the same user looks like nobody, needs no new user and no change
of any mode or owner. Where the kernel or a container forbids namespaces to root, the server runs
as the user `nobody`, who then owns the cluster's folder.
"""

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from djflow.backend.embedded.binaries import Binaries
from djflow.backend.embedded.commands import Account, Finished, run
from djflow.errors import ServerError

_NOBODY: Final = 65534


def choose_account(binaries: Binaries, folder: Path) -> Account:
    """The account for a cluster in `folder`, which must exist. Raises `ServerError` if there is none."""
    if sys.platform == "win32":
        return Account(owner=0)
    user = os.geteuid()
    if user == 0:
        return first_working_account(binaries, folder, (namespace_account(), nobody_account()))
    if has_name(user):
        return Account(owner=user)
    return first_working_account(binaries, folder, (namespace_account(),))


def has_name(user: int) -> bool:
    """Whether the system has a name for a user id."""
    if sys.platform == "win32":
        return True
    import pwd

    try:
        pwd.getpwuid(user)
    except KeyError:
        return False
    return True


def namespace_account() -> Account | None:
    """The current user, seen from inside a user namespace as nobody."""
    unshare = shutil.which("unshare")
    if sys.platform == "win32" or unshare is None:
        return None
    return Account(owner=os.geteuid(), prefix=(unshare, "--user", f"--map-user={_NOBODY}", "--"))


def nobody_account() -> Account | None:
    """The user `nobody` and its group."""
    if sys.platform == "win32":
        return None
    import pwd

    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return None
    return Account(owner=entry.pw_uid, drop_to=(entry.pw_uid, entry.pw_gid))


def first_working_account(binaries: Binaries, folder: Path, accounts: Iterable[Account | None]) -> Account:
    """The first account that can run the programs and reach the folder; the folder's owner goes first."""
    owner = folder.stat().st_uid
    known = [account for account in accounts if account is not None]
    if owner not in {0, _NOBODY, *(account.owner for account in known)}:
        raise ServerError(
            f"{folder} belongs to the user with id {owner}. Run as that user, or choose another home."
        )
    tried = []
    for account in sorted(known, key=lambda account: account.owner != owner):
        probe = probe_account(account, binaries, folder)
        if probe.code == 0:
            return account
        tried.append(f"{' '.join(account.prefix) or 'as nobody'}: {probe.output.strip()}")
    listed = "".join(f"\n  - {attempt}" for attempt in tried)
    raise ServerError(
        f"PostgreSQL does not run as root or a user without a name, and nothing else worked. Tried:{listed}\n"
        "Run as an ordinary user, or keep the data and the Python environment where others may read."
    )


def probe_account(account: Account, binaries: Binaries, folder: Path) -> Finished:
    """Whether an account can run the programs and enter the folder."""
    version = run(account, [binaries.program("postgres"), "--version"])
    if version.code != 0 or account.drop_to is None:
        return version
    reached = run(account, ["test", "-x", folder.parent])
    return Finished(reached.code, f"it may not enter {folder.parent}")


def adopt(folder: Path, account: Account) -> None:
    """Give a cluster that no server uses to the account, where another one made it or a part of it."""
    if sys.platform == "win32" or (account.drop_to is None and folder.stat().st_uid == account.owner):
        return
    group = account.drop_to[1] if account.drop_to else os.getegid()
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(Path(parent, name), account.owner, group, follow_symlinks=False)
    # last, so that an interrupted change is taken up again
    os.chown(folder, account.owner, group)
