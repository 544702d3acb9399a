"""The configuration files of a project: where they are, and what stands in them."""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final
from warnings import warn

from djflow.configuration.given import Layer, flatten
from djflow.configuration.secret import holds_credential
from djflow.errors import ConfigError, CredentialsWarning

CONFIG_FILE: Final = "datajoint.json"
OWN_FILE: Final = "djflow.toml"
PYPROJECT: Final = "pyproject.toml"
SECTION: Final = "[tool.djflow]"

# From weak to strong.
_FILES: Final = (PYPROJECT, CONFIG_FILE, OWN_FILE)
_TOML_PLACE: Final = re.compile(r"^(.*) \(at line (\d+), column (\d+)\)$", re.DOTALL)


def find_config_files(start: Path | None = None) -> tuple[Path, ...]:
    """The files that configure a project, from weak to strong, or none.

    They are those in the nearest folder, upwards from `start` (the current one by default), that has any:
    a `pyproject.toml` with a section `[tool.djflow]`, a `datajoint.json`, a `djflow.toml`.
    Raises `ConfigError` for a `pyproject.toml` that mentions djflow and cannot be read.
    """
    folder = (start or Path.cwd()).absolute()
    for above in (folder, *folder.parents):
        found = tuple(file for name in _FILES if _configures(file := above / name))
        if found:
            return found
    return ()


def find_config_file(start: Path | None = None) -> Path | None:
    """The strongest of the files that `find_config_files` finds, or `None`."""
    return next(reversed(find_config_files(start)), None)


def read_config_file(path: Path) -> Layer:
    """The settings of a file.

    Raises `ConfigError` with file, line and column for what cannot be parsed, naming what is no setting, and
    for credentials in files that belong under version control; in a `datajoint.json` they are warned about.
    """
    if path.name == PYPROJECT:
        layer = flatten(_section(path), f"{path} {SECTION}")
    elif path.suffix == ".toml":
        layer = flatten(parsed_toml(read_text(path), str(path)), str(path))
    else:
        return _warned(flatten(parsed_json(read_text(path), str(path)), str(path)))
    for name in _credentials(layer):
        raise ConfigError(
            f"The credential {name!r} must not stand in {layer[name].source}, which others can read. Move it "
            f"into the file .secrets/{name} beside it or into an environment variable, and change it if it "
            "was ever committed.",
            key=name,
            source=layer[name].source,
        )
    return layer


def parsed_json(text: str, source: str) -> Mapping[str, object]:
    """A JSON object. Raises `ConfigError` with its place for anything else."""
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


def parsed_toml(text: str, source: str) -> Mapping[str, object]:
    """A TOML document. Raises `ConfigError` with its place for anything else."""
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        told = _TOML_PLACE.match(str(error))
        reason, line, column = told.groups() if told else (str(error), 0, 0)
        place = f", line {line}, column {column}" if told else ""
        raise ConfigError(
            f"Not TOML: {source}{place} ({reason}).", source=source, line=int(line), column=int(column)
        ) from None


def read_text(path: Path) -> str:
    """A file's text. Raises `ConfigError` if it is none or cannot be read."""
    try:
        # Editors on Windows put a byte order mark first.
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text.", source=str(path)) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.", source=str(path)) from error


def exists(path: Path) -> bool:
    """Whether there is such a file or folder, as far as this user can tell."""
    with suppress(OSError):
        return path.exists()
    return False


def _configures(path: Path) -> bool:
    return exists(path) and (path.name != PYPROJECT or bool(_section(path)))


def _section(path: Path) -> Mapping[str, object]:
    text = read_text(path)
    # A project that has nothing to do with djflow is not parsed, hence not judged either.
    if "djflow" not in text:
        return {}
    tools = parsed_toml(text, str(path)).get("tool")
    section = tools.get("djflow", {}) if isinstance(tools, Mapping) else {}
    if not isinstance(section, Mapping):
        raise ConfigError(f"{SECTION} in {path} must be a table.", source=str(path))
    return section


def _credentials(layer: Layer) -> list[str]:
    return [
        name
        for name, given in layer.items()
        if given.value and holds_credential(name.rpartition(".")[2], given.value)
    ]


def _warned(layer: Layer) -> Layer:
    if names := _credentials(layer):
        warn(
            f"{layer[names[0]].source} holds credentials ({', '.join(names)}). Move each into a file of its "
            f"name in .secrets/ beside it, such as .secrets/{names[0]}.",
            CredentialsWarning,
            stacklevel=2,
        )
    return layer
