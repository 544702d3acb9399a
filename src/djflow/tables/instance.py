"""Instances: a configuration and a database of their own, beside those that a process shares."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from djflow.configuration import Config, DatabaseSettings, Settings, changed, dotted, load, parse_database_url
from djflow.errors import InvalidArgumentError
from djflow.relation.database import Database
from djflow.tables.free import FreeTable, free_table
from djflow.tables.schema import Schema
from djflow.tables.virtual.module import VirtualModule, virtual_schema

_SOURCE: Final = "dj.Instance(...)"


class Instance:
    """A configuration and the database that it names, independent of `dj.config` and `dj.conn()`.

    `host`, `user`, `password`, `port` (5432) and `use_tls` are as in the settings of `database`; `url` is
    `postgresql://user:password@host:port/name` in their place. `overrides` are other settings, a double
    underscore for each dot: `safemode=False`, `database__name="lab"`. What is not given comes from the same
    files and environment variables as `dj.config` has it, but no password that was configured for another
    host or user. Where no server is named at all, it is the embedded one.

    Nothing is opened before it is used. Leaving a `with` block closes what was.

    Raises `ConfigError` for what is no setting or has no such value, `InvalidArgumentError` for a `url`
    beside its parts.

    >>> lab = Instance(host="db.lab.org", user="ann", password="secret", display__limit=5)
    >>> lab, lab.config.display.limit, lab.config.database.password
    (Instance(ann@db.lab.org:5432/postgres), 5, ***)
    """

    def __init__(
        self,
        host: str | None = None,
        user: str | None = None,
        password: str | None = None,
        port: int | None = None,
        use_tls: bool | Mapping[str, Any] | None = None,  # noqa: FBT001 - documented
        backend: str | None = None,
        *,
        url: str | None = None,
        **overrides: Any,
    ) -> None:
        given = _stated(
            {"host": host, "user": user, "password": password, "port": port, "use_tls": use_tls}, url
        )
        if backend is not None:
            given["database.backend"] = backend
        given |= dotted(overrides)
        self._config = config = Config(lambda: _settings(given))
        self._connection = Database(lambda: config.settings)
        _ = config.settings  # mistakes show here, not at the first use

    @property
    def config(self) -> Config:
        """The settings of this instance; changing them changes nothing elsewhere."""
        return self._config

    @property
    def connection(self) -> Database:
        """The database of this instance."""
        return self._connection

    def __repr__(self) -> str:
        return f"Instance({self.connection.place})"

    def __reduce__(self) -> tuple[Any, ...]:
        raise InvalidArgumentError(
            "An instance cannot be pickled. Pickle its queries, or make an instance in the other process."
        )

    def Schema(  # noqa: N802 - documented
        self,
        schema_name: str | None = None,
        context: Mapping[str, Any] | None = None,
        *,
        create_schema: bool = True,
        create_tables: bool | None = None,
        add_objects: Mapping[str, Any] | None = None,
    ) -> Schema:
        """A schema of this instance's database; `dj.Schema` tells what the arguments mean.

        `add_objects` are further names that definitions may refer to.
        """
        return Schema(
            schema_name,
            {**(context or {}), **(add_objects or {})},
            connection=self.connection,
            create_schema=create_schema,
            create_tables=create_tables,
        )

    def FreeTable(self, full_table_name: str) -> FreeTable:  # noqa: N802 - documented
        """The table of a name such as `schema.table`, without its class; `dj.FreeTable` tells more."""
        return free_table(self.connection, full_table_name)

    def virtual_schema(self, schema_name: str, **options: Any) -> VirtualModule:
        """A module whose classes are a schema's tables; options as for `dj.virtual_schema`."""
        return virtual_schema(schema_name, connection=self.connection, **options)

    def close(self) -> None:
        """Close all connections; the next use opens new ones."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()


def _stated(parts: Mapping[str, Any], url: str | None) -> dict[str, Any]:
    """The settings that name the server, by dotted name."""
    stated = {name: value for name, value in parts.items() if value is not None}
    if url is not None:
        if stated:
            raise InvalidArgumentError(f"url says {' and '.join(stated)} already; give one or the other.")
        stated = parse_database_url(url, _SOURCE)
    return {f"database.{name}": value for name, value in stated.items()}


def _settings(given: Mapping[str, Any]) -> Settings:
    configured = load(os.environ, Path.cwd())
    settings = changed(configured, given, source=_SOURCE)
    if settings.database.password and not _is_for(configured.database, settings.database):
        # One server's password is nothing to tell another.
        given = {"database.password": None, **given}
        settings = changed(configured, given, source=_SOURCE)
    return settings


def _is_for(configured: DatabaseSettings, stated: DatabaseSettings) -> bool:
    return configured.host in (None, stated.host) and configured.user in (None, stated.user)
