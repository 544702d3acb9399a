"""Where settings are read from: a project's file, folders of secrets, environment variables."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from djflow.configuration.database_url import parse_database_url
from djflow.configuration.given import Given, Layer, flatten, is_store_key, unknown
from djflow.configuration.keys import KEYS, SECTIONS, STORES
from djflow.errors import ConfigError

CONFIG_FILE: Final = "datajoint.json"
SECRETS_FOLDER: Final = ".secrets"
SYSTEM_SECRETS: Final = Path("/run/secrets/datajoint")

_STORES_VARIABLE: Final = "DJ_STORES"
_URL_VARIABLE: Final = "DATABASE_URL"


def find_config_file(start: Path | None = None) -> Path | None:
    """The nearest `datajoint.json` in a folder (the current one by default) or those above it."""
    folder = (start or Path.cwd()).absolute()
    return next((file for above in (folder, *folder.parents) if _exists(file := above / CONFIG_FILE)), None)


def find_secrets_dir(
    config_file: Path | None = None, *, start: Path | None = None, system: Path = SYSTEM_SECRETS
) -> Path | None:
    """The folder `.secrets` beside the configuration file or, without one, in `start`; else `system`."""
    beside = config_file.parent if config_file else (start or Path.cwd()).absolute()
    return next((folder for folder in (beside / SECRETS_FOLDER, system) if _exists(folder)), None)


def read_config_file(path: Path) -> Layer:
    """The settings of a JSON file.

    Raises `ConfigError` with file, line and column for what is not JSON, or naming what is no setting.
    """
    return flatten(_parsed(_read_text(path), str(path)), str(path))


def read_secrets(folder: Path) -> Layer:
    """The settings of a folder of secrets: one a file, or several in its `datajoint.json`.

    A file has the name of its setting (`database.password`); other files are left alone, and empty ones
    set nothing. Raises `ConfigError` as `read_config_file` does.
    """
    together = folder / CONFIG_FILE
    layer: Layer = {}
    if _exists(together):
        layer = flatten(_parsed(_read_text(together), str(together)), str(together), is_secret=True)
    return layer | dict(_secret_files(folder))


def _secret_files(folder: Path) -> Iterator[tuple[str, Given]]:
    for path in sorted(folder.iterdir()):
        name = path.name
        if name.partition(".")[0] not in (*SECTIONS, STORES) or name.endswith("~") or path.is_dir():
            continue
        if name not in KEYS and not is_store_key(name):
            raise unknown(name, str(folder))
        if text := _read_text(path).strip():
            yield name, Given(text, str(path), is_secret=True)


def read_environment(environ: Mapping[str, str]) -> Layer:
    """The settings of environment variables; an empty variable sets nothing.

    `DJ_HOST` and its like override the parts of `DATABASE_URL`.
    """
    layer: Layer = {}
    if url := environ.get(_URL_VARIABLE):
        parts = parse_database_url(url, _describe(_URL_VARIABLE))
        layer = {f"database.{name}": Given(value, _describe(_URL_VARIABLE)) for name, value in parts.items()}
    for key in KEYS.values():
        if key.variable and (text := environ.get(key.variable)):
            layer[key.name] = Given(text, _describe(key.variable))
    return layer


def read_stores_variable(environ: Mapping[str, str]) -> Layer | None:
    """The block `stores` of the variable `DJ_STORES`, or `None` where it is not set."""
    text = environ.get(_STORES_VARIABLE)
    if not text:
        return None
    source = _describe(_STORES_VARIABLE)
    return flatten({STORES: _parsed(text, source)}, source)


def read_store_variables(environ: Mapping[str, str]) -> Layer:
    """Single settings of stores: `DJ_STORES__MAIN__ACCESS_KEY` sets `stores.main.access_key`."""
    prefix = f"{_STORES_VARIABLE}__"
    names = {
        variable: ".".join((STORES, *variable.removeprefix(prefix).lower().split("__")))
        for variable, text in environ.items()
        if variable.startswith(prefix) and text
    }
    return {
        name: Given(environ[variable], _describe(variable))
        for variable, name in names.items()
        if is_store_key(name)
    }


def _describe(variable: str) -> str:
    return f"the environment variable {variable}"


def _parsed(text: str, source: str) -> Mapping[str, object]:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        message = f"Not JSON: {source}, line {error.lineno}, column {error.colno} ({error.msg})."
        # The decoder's error holds the whole text, and with it any secret.
        raise ConfigError(message, source=source, line=error.lineno, column=error.colno) from None
    if not isinstance(document, dict):
        raise ConfigError(
            f"A JSON object must stand in {source}, not a {type(document).__name__}.", source=source
        )
    return document


def _read_text(path: Path) -> str:
    try:
        # Editors on Windows put a byte order mark first.
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text.", source=str(path)) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.", source=str(path)) from error


def _exists(path: Path) -> bool:
    with suppress(OSError):
        return path.exists()
    return False
