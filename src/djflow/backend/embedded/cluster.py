"""Making a cluster and writing its configuration."""

import re
import shutil
from collections.abc import Mapping
from typing import Final

from djflow.backend.embedded.binaries import Binaries
from djflow.backend.embedded.commands import Account, run, server_failure
from djflow.backend.embedded.endpoints import ROLE, Endpoint
from djflow.backend.embedded.layout import Layout
from djflow.errors import ConfigError, ServerError

_INCLUDED: Final = "djflow.conf"
_BUILTIN_LOCALES_SINCE: Final = 17
_SETTING: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*\Z")
_CONTROL: Final = re.compile(r"[\x00-\x1f]")


def create_cluster(
    layout: Layout, binaries: Binaries, account: Account, endpoint: Endpoint, settings: Mapping[str, str]
) -> None:
    """Make the cluster, unless it exists. Raises `ServerError`, or `DiskFullError` where that is the reason.

    All is made aside and renamed, so that an interrupted attempt leaves nothing that looks whole.
    """
    if layout.data.exists():
        if not (layout.data / "PG_VERSION").is_file():
            raise ServerError(
                f"{layout.data} is not a PostgreSQL data folder. Move it away, or choose another home."
            )
        return
    for leftover in layout.abandoned():
        shutil.rmtree(leftover, ignore_errors=True)
    staging = layout.new_staging()
    options = [*initdb_options(binaries.major, settings), *endpoint.initdb_options()]
    command = [str(binaries.program("initdb")), *options, "-D", staging.name]
    done = run(account, command, cwd=layout.folder)
    if done.code != 0:
        shutil.rmtree(staging, ignore_errors=True)
        raise server_failure(f"A cluster could not be made in {layout.folder}: initdb failed.", done.output)
    with (staging / "postgresql.conf").open("a") as file:
        file.write(f"\ninclude = '{_INCLUDED}'\n")
    staging.rename(layout.data)


def initdb_options(major: int, settings: Mapping[str, str]) -> list[str]:
    """The options of `initdb`: the same order of text on every machine, UTF-8, one role.

    >>> initdb_options(16, {})
    ['--username=djflow', '--encoding=UTF8', '--locale=C']
    """
    options = [f"--username={ROLE}", "--encoding=UTF8", "--locale=C"]
    if major >= _BUILTIN_LOCALES_SINCE:
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    if settings.get("fsync") == "off":
        options.append("--no-sync")
    return options


def configure(layout: Layout, endpoint: Endpoint, settings: Mapping[str, str]) -> None:
    """Write the configuration for the next start; the endpoint's settings overrule `settings`."""
    included = layout.data / _INCLUDED
    included.write_text(render_settings({**settings, **endpoint.settings()}), encoding="utf-8")
    (layout.data / "pg_hba.conf").write_text(endpoint.access_rules(), encoding="utf-8")


def render_settings(settings: Mapping[str, str]) -> str:
    r"""The text of a configuration file. Raises `ConfigError` for what cannot stand in one.

    >>> print(render_settings({"work_mem": "64MB", "search_path": "it's"}), end="")
    work_mem = '64MB'
    search_path = 'it''s'
    """
    for name, value in settings.items():
        if not _SETTING.match(name) or _CONTROL.search(value):
            raise ConfigError(f"{name!r} = {value!r} cannot be a setting of PostgreSQL.")
    escaped = {name: value.replace("\\", "\\\\").replace("'", "''") for name, value in settings.items()}
    return "".join(f"{name} = '{value}'\n" for name, value in escaped.items())
