"""The parts of a `DATABASE_URL`."""

import re
from typing import Final
from urllib.parse import unquote

from djflow.configuration.database import DEFAULT_PORT
from djflow.errors import ConfigError

# Not urllib: it drops what follows a `#`, strips newlines, and quotes passwords in its errors.
_URL: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://"
    r"(?:(?P<user>[^:@/?]*)(?::(?P<password>[^@/?]*))?@)?"
    r"(?:\[(?P<address>[^\]]*)\]|(?P<host>[^:@/?,\[\]]*))"
    r"(?::(?P<port>[0-9]*))?"
    r"(?:/(?P<name>[^?]*))?"
    r"(?:\?(?P<query>.*))?",
    re.DOTALL,
)
# In the query these name what also has a place in the URL; there they win, as for libpq.
_PLACED: Final = {"host": "host", "port": "port", "user": "user", "password": "password", "dbname": "name"}


def parse_database_url(url: str, source: str = "DATABASE_URL") -> dict[str, object]:
    """The `database` settings that a URL states, by name; a URL without a port states 5432.

    Raises `ConfigError`, which never quotes the URL.

    >>> parse_database_url("postgresql://ann:p%40ss@db.lab.org/lab?sslmode=require")
    {'host': 'db.lab.org', 'port': 5432, 'user': 'ann', 'password': 'p@ss', 'name': 'lab',
     'options': {'sslmode': 'require'}, 'use_tls': None}
    """
    found = _URL.fullmatch(url.strip()) if isinstance(url, str) else None
    if found is None:
        raise ConfigError(
            f"The URL in {source} cannot be read. Write postgresql://user:password@host:port/database, "
            "one host, with @ : / ? % in its parts as %40 %3A %2F %3F %25.",
            source=source,
        )
    if found["scheme"] not in {"postgresql", "postgres"}:
        raise ConfigError(
            f"djflow speaks PostgreSQL only, but {source} begins with {found['scheme']}://. "
            "Give it a postgresql:// URL or unset it.",
            source=source,
        )
    query = _parameters(found["query"] or "")
    stated = {
        "host": unquote(found["address"] or found["host"] or ""),
        "port": found["port"] or str(DEFAULT_PORT),
        "user": unquote(found["user"] or ""),
        "password": unquote(found["password"] or ""),
        "name": unquote(found["name"] or ""),
    } | {_PLACED[name]: value for name, value in query.items() if name in _PLACED}
    options = {name: value for name, value in query.items() if name not in _PLACED}
    return _settings(stated, options)


def _settings(stated: dict[str, str], options: dict[str, str]) -> dict[str, object]:
    # An empty host is an answer: libpq's own choice.
    settings: dict[str, object] = {name: value for name, value in stated.items() if value or name == "host"}
    if port := stated["port"]:
        settings["port"] = int(port) if port.isdecimal() else port
    if options:
        settings["options"] = options
    if "sslmode" in options:
        settings["use_tls"] = None
    return settings


def _parameters(query: str) -> dict[str, str]:
    # `+` stays a plus here, as for libpq.
    pairs = (part.partition("=") for part in query.split("&") if part)
    return {unquote(name): unquote(value) for name, _, value in pairs}
