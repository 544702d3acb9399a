"""Settings from all sources, by priority."""

import os
from collections.abc import Mapping
from pathlib import Path
from warnings import warn

from djflow.configuration.build import build
from djflow.configuration.files import find_config_files, read_config_file
from djflow.configuration.given import DEFAULT, Given, Layer, is_store_key
from djflow.configuration.home import default_home
from djflow.configuration.keys import STORES
from djflow.configuration.kinds import BOOLEAN
from djflow.configuration.settings import Settings
from djflow.configuration.sources import (
    IGNORE_FILES,
    SYSTEM_SECRETS,
    THREAD_SAFE,
    find_secrets_dir,
    misspelt_variables,
    read_environment,
    read_secrets,
    read_store_variables,
    read_stores_variable,
)
from djflow.errors import ConfigWarning, ThreadSafetyError


def load(environ: Mapping[str, str], start: Path, *, system_secrets: Path = SYSTEM_SECRETS) -> Settings:
    """The settings that hold for a process with these environment variables in this folder.

    From weak to strong: defaults, the files of the project that `start` is in (`pyproject.toml`,
    `datajoint.json`, `djflow.toml`), the folder of secrets, `DATABASE_URL`, `DJ_*` variables. For stores,
    `DJ_STORES` replaces the files' blocks, and secrets fill in only what is missing. With
    `DJ_IGNORE_CONFIG_FILE=true` no file is read.

    Raises `ConfigError` naming the setting, its value unless secret, and its source. Warns (`ConfigWarning`)
    of variables that are probably misspelt.

    >>> load({"DJ_HOST": "db.lab.org", "DJ_IGNORE_CONFIG_FILE": "true"}, Path()).database.describe()
    'db.lab.org:5432/postgres'
    """
    files, secrets = ({}, {}) if _flag(environ, IGNORE_FILES) else _read_files(start, system_secrets)
    _warn_of_misspelt(environ)
    home = {"home": Given(default_home(environ), DEFAULT)}
    layer = home | files | secrets | read_environment(environ)
    others = {name: given for name, given in layer.items() if not is_store_key(name)}
    return build(others | _merged_stores(files, secrets, environ))


def load_shared() -> Settings:
    """The settings of this process, for `dj.config`.

    Raises `ThreadSafetyError` in thread-safe mode, `ConfigError` as `load` does.
    """
    forbid_in_thread_safe_mode("dj.config", os.environ)
    return load(os.environ, Path.cwd())


def forbid_in_thread_safe_mode(what: str, environ: Mapping[str, str]) -> None:
    """Raise `ThreadSafetyError` if `DJ_THREAD_SAFE` forbids state shared by the whole process.

    >>> forbid_in_thread_safe_mode("dj.conn()", {"DJ_THREAD_SAFE": "yes"})
    Traceback (most recent call last):
    ...
    djflow.errors.ThreadSafetyError: dj.conn() is shared by all threads, which DJ_THREAD_SAFE forbids. ...
    """
    if _flag(environ, THREAD_SAFE):
        raise ThreadSafetyError(
            f"{what} is shared by all threads, which {THREAD_SAFE} forbids. "
            "Make an instance with dj.Instance(...) and use what it has."
        )


def _warn_of_misspelt(environ: Mapping[str, str]) -> None:
    for name, meant in misspelt_variables(environ).items():
        warn(
            f"The environment variable {name} sets nothing. Did you mean {meant}?",
            ConfigWarning,
            stacklevel=3,
        )


def _flag(environ: Mapping[str, str], variable: str) -> bool:
    text = environ.get(variable)
    return bool(text) and bool(Given(text, "the environment").read(variable, BOOLEAN))


def _read_files(start: Path, system_secrets: Path) -> tuple[Layer, Layer]:
    files: Layer = {}
    found = find_config_files(start)
    for path in found:
        files |= read_config_file(path)
    secrets = find_secrets_dir(found[-1] if found else None, start=start, system=system_secrets)
    return files, read_secrets(secrets) if secrets else {}


def _merged_stores(files: Layer, secrets: Layer, environ: Mapping[str, str]) -> Layer:
    replacing = read_stores_variable(environ)
    configured = _stores(files if replacing is None else replacing) | read_store_variables(environ)
    # A secret alone makes no store: it may belong to one that is configured elsewhere.
    names = {_store(name) for name in configured}
    filling = {name: given for name, given in _stores(secrets).items() if _store(name) in names}
    return filling | configured


def _stores(layer: Layer) -> Layer:
    return {name: given for name, given in layer.items() if is_store_key(name)}


def _store(name: str) -> str:
    return name.removeprefix(f"{STORES}.").partition(".")[0]
