"""Where djflow keeps what it owns on this computer."""

import sys
from collections.abc import Mapping
from pathlib import Path


def default_home(environ: Mapping[str, str], *, platform: str = sys.platform) -> Path:
    """The platform's folder for a user's data, with `djflow` in it.

    >>> default_home({"XDG_DATA_HOME": "/data/ann"}, platform="linux").as_posix()
    '/data/ann/djflow'
    """
    return _data_folder(environ, platform) / "djflow"


def _data_folder(environ: Mapping[str, str], platform: str) -> Path:
    if platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    if platform == "win32":
        local = environ.get("LOCALAPPDATA")
        return Path(local) if local else Path.home() / "AppData" / "Local"
    shared = environ.get("XDG_DATA_HOME", "")
    # A relative path there is invalid by the XDG specification and is to be ignored.
    return Path(shared) if shared.startswith("/") else Path.home() / ".local" / "share"
