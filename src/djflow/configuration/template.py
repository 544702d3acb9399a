"""A configuration file to start from."""

import json
from pathlib import Path
from typing import Final

from djflow.configuration.sources import SECRETS_FOLDER
from djflow.errors import ConfigError

_JSON: Final = {
    "_remark": "Credentials belong in .secrets/ or in DJ_USER and DJ_PASS. No host: an embedded server.",
    "database": {"host": "localhost", "port": 5432, "name": "postgres", "use_tls": None},
    "stores": {
        "default": "main",
        "main": {"protocol": "file", "location": "/data/my-project"},
    },
    "display": {"limit": 12, "width": 14, "diagram_direction": "LR"},
    "loglevel": "INFO",
    "safemode": True,
}
_TOML: Final = """\
# Credentials belong in .secrets/ or in DJ_USER and DJ_PASS: this file is for version control.
safemode = true  # ask before deleting and dropping
loglevel = "INFO"

[database]  # without a host: an embedded server
host = "localhost"
port = 5432
name = "postgres"
# use_tls = true

[stores]
default = "main"

[stores.main]
protocol = "file"
location = "/data/my-project"

[display]
limit = 12
width = 14
diagram_direction = "LR"
"""
_SECRETS: Final = {".gitignore": "*\n", "database.user": "", "database.password": ""}


def write_template(path: Path, *, with_secrets: bool) -> Path:
    """Write the template, and with `with_secrets` a private folder for credentials beside it.

    It is TOML where the name ends in `.toml`, else JSON. Raises `ConfigError` if the file exists or cannot be
    written; files of secrets that exist are kept.
    """
    text = _TOML if path.suffix == ".toml" else json.dumps(_JSON, indent=2) + "\n"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
        if with_secrets:
            _write_secrets(path.parent / SECRETS_FOLDER)
    except FileExistsError:
        raise ConfigError(
            f"{path} exists already; choose another name or move it away.", source=str(path)
        ) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.", source=str(path)) from error
    return path


def _write_secrets(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    for name, text in _SECRETS.items():
        file = folder / name
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(text, encoding="utf-8")
