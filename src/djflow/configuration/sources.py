"""Where settings are read from besides a project's files: folders of secrets, environment variables."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from djflow.configuration.database_url import parse_database_url
from djflow.configuration.files import CONFIG_FILE, exists, parsed_json, read_text
from djflow.configuration.given import Given, Layer, flatten, is_store_key, unknown
from djflow.configuration.keys import KEYS, SECTIONS, STORES
from djflow.errors import ConfigError

SECRETS_FOLDER: Final = ".secrets"
SYSTEM_SECRETS: Final = Path("/run/secrets/datajoint")

IGNORE_FILES: Final = "DJ_IGNORE_CONFIG_FILE"
THREAD_SAFE: Final = "DJ_THREAD_SAFE"
_STORES_VARIABLE: Final = "DJ_STORES"
_SIMILAR: Final = 0.8  # two letters swapped in a short name; other packages have variables of their own
_URL_VARIABLE: Final = "DATABASE_URL"


def find_secrets_dir(
    config_file: Path | None = None, *, start: Path | None = None, system: Path = SYSTEM_SECRETS
) -> Path | None:
    """The folder `.secrets` beside the configuration file or, without one, in `start`; else `system`."""
    beside = config_file.parent if config_file else (start or Path.cwd()).absolute()
    return next((folder for folder in (beside / SECRETS_FOLDER, system) if exists(folder)), None)


def read_secrets(folder: Path) -> Layer:
    """The settings of a folder of secrets: one a file, or several in its `datajoint.json`.

    A file has the name of its setting (`database.password`); other files are left alone, and empty ones
    set nothing. Raises `ConfigError` for what is no setting or not JSON.
    """
    together = folder / CONFIG_FILE
    layer: Layer = {}
    if exists(together):
        layer = flatten(parsed_json(read_text(together), str(together)), str(together), is_secret=True)
    return layer | dict(_secret_files(folder))


def _secret_files(folder: Path) -> Iterator[tuple[str, Given]]:
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise ConfigError(f"{folder} cannot be read: {error.strerror}.", source=str(folder)) from error
    for path in paths:
        name = path.name
        if name.partition(".")[0] not in (*SECTIONS, STORES) or name.endswith("~") or path.is_dir():
            continue
        if name not in KEYS and not is_store_key(name):
            raise unknown(name, str(folder))
        if text := read_text(path).strip():
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
    return flatten({STORES: parsed_json(text, source)}, source)


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


def misspelt_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Variables that begin as djflow's do, mean nothing, and look like one that does: which one.

    >>> misspelt_variables({"DJ_HOTS": "db", "DJ_HOST": "db", "DJ_BOOTH": "2"})
    {'DJ_HOTS': 'DJ_HOST'}
    """
    known = {key.variable for key in KEYS.values()} | {_STORES_VARIABLE, IGNORE_FILES, THREAD_SAFE}
    ours = (
        name for name in environ if name.startswith("DJ_") and not name.startswith(f"{_STORES_VARIABLE}__")
    )
    strange = (name for name in ours if name not in known)
    close = {name: get_close_matches(name, known, n=1, cutoff=_SIMILAR) for name in strange}
    return {name: found[0] for name, found in close.items() if found}


def _describe(variable: str) -> str:
    return f"the environment variable {variable}"
