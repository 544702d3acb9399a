"""What `djflow doctor` checks."""

import os
import re
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Literal
from uuid import uuid4

from djflow.configuration import Settings, find_config_file, find_secrets_dir, shared
from djflow.errors import DjflowError
from djflow.relation.database import Database
from djflow.tables.default import conn

_OLDEST_SERVER: Final = 15
_LEAST_BYTES: Final = 2**30
_TIMEOUT: Final = "PGCONNECT_TIMEOUT"
_MOST_SECONDS: Final = 2.0  # that two clocks may differ
_REQUIREMENT: Final = re.compile(r"(?P<name>[\w.-]+)(?:\[[^]]*\])?(?:[><=!~]=?(?P<least>[\w.]+))?")


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found, and what to do about it."""

    check: str
    state: Literal["ok", "warning", "failed"]
    told: str
    advice: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The same for programs."""
        return asdict(self)


def examined() -> Iterator[Finding]:
    """All checks; those that need what has failed are left out."""
    yield _python()
    yield _packages(metadata.requires("djflow") or ())
    configuration, settings = _configuration()
    yield configuration
    if settings is None:
        return
    if os.name == "posix":
        yield from _secrets(find_secrets_dir(find_config_file()))
    yield _disk("disk of the home", settings.home)
    server = _server(conn())
    yield server
    if server.state != "failed":
        yield from _of_server(conn())
    for name in settings.stores.by_name:
        yield _store(conn(), name)


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", "ok", f"{found}, {sys.executable}")


def _packages(requirements: Iterable[str]) -> Finding:
    """Whether what djflow needs is installed, and new enough."""
    faulty, number = [], 0
    for requirement in requirements:
        name, least = read_requirement(requirement)
        if ";" in requirement:  # an extra's, which nobody must have
            continue
        number += 1
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            faulty.append(f"{name} is not installed")
            continue
        if numbers(version) < numbers(least):
            faulty.append(f"{name} {version} is older than {least}")
    if faulty:
        return Finding("packages", "failed", "; ".join(faulty), ("Run: pip install --upgrade djflow",))
    return Finding(
        "packages", "ok", f"djflow {metadata.version('djflow')}, and {number} packages that it needs"
    )


def read_requirement(text: str) -> tuple[str, str]:
    """The package and the least version of a requirement.

    >>> read_requirement("psycopg[binary]>=3.2"), read_requirement("pandas; extra == 'pandas'")
    (('psycopg', '3.2'), ('pandas', '0'))
    """
    found = _REQUIREMENT.match(text)
    return (found["name"], found["least"] or "0") if found else (text, "0")


def numbers(version: str) -> tuple[int, ...]:
    """The numbers that a version begins with.

    >>> numbers("3.10.2") > numbers("3.9"), numbers("2.0rc1")
    (True, (2, 0))
    """
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, found[0].split("."))) if found else ()


def _configuration() -> tuple[Finding, Settings | None]:
    try:
        settings = shared.settings
    except DjflowError as error:
        return _failed("configuration", error), None
    given = sorted({source for source in shared.sources().values() if source != "default"})
    return Finding("configuration", "ok", f"from {', '.join(given)}" if given else "all defaults"), settings


def _secrets(folder: Path | None) -> Iterator[Finding]:
    """Whether nobody else can read the credentials that are in files."""
    if folder is None:
        return
    others = stat.S_IRWXG | stat.S_IRWXO
    is_closed = not folder.stat().st_mode & others
    open_files = [path for path in folder.glob("[!.]*") if path.exists() and path.stat().st_mode & others]
    if is_closed or not open_files:
        yield Finding("secrets", "ok", f"only you can read {folder}")
        return
    told = f"others can read {', '.join(path.name for path in open_files)} in {folder}"
    yield Finding("secrets", "warning", told, (f"Run: chmod -R go= {folder}",))


def _disk(check: str, folder: Path) -> Finding:
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(existing).free
    told = f"{free / 2**30:.1f} GiB free at {folder}"
    if free < _LEAST_BYTES:
        return Finding(check, "warning", told, ("Free some space: a full disk stops the server.",))
    return Finding(check, "ok", told)


def _server(database: Database) -> Finding:
    try:
        with _short_patience():
            [(version, number)] = database.session.execute(
                "SELECT current_setting('server_version'), current_setting('server_version_num')::int", []
            )
    except DjflowError as error:
        kind = "" if database.session.is_remote else " `djflow db status` tells where its log is."
        return _failed("server", error, f"Look at `djflow config show database`.{kind}")
    told = f"PostgreSQL {version}, {database.place}"
    if number // 10_000 < _OLDEST_SERVER:
        return Finding("server", "failed", told, (f"Upgrade it to PostgreSQL {_OLDEST_SERVER} or later.",))
    return Finding("server", "ok", told)


@contextmanager
def _short_patience() -> Iterator[None]:
    """A server that does not answer is given up soon."""
    is_set = _TIMEOUT in os.environ
    os.environ.setdefault(_TIMEOUT, "10")
    try:
        yield
    finally:
        if not is_set:
            del os.environ[_TIMEOUT]


def _of_server(database: Database) -> Iterator[Finding]:
    checks: tuple[tuple[str, Callable[[Database], Finding]], ...] = (("rights", _rights), ("clock", _clock))
    for name, check in checks:
        try:
            yield check(database)
        except DjflowError as error:
            yield _failed(name, error)


def _rights(database: Database) -> Finding:
    [(role, create, temporary, own)] = database.session.execute(
        "SELECT current_user::text, has_database_privilege(current_database(), 'CREATE'), "
        "has_database_privilege(current_database(), 'TEMPORARY'), "
        "ARRAY(SELECT nspname::text FROM pg_catalog.pg_namespace "
        "WHERE nspname !~ '^pg_' AND has_schema_privilege(oid, 'CREATE') ORDER BY 1)",
        [],
    )
    lacking = [right for right, held in (("CREATE", create), ("TEMPORARY", temporary)) if not held]
    if not lacking:
        return Finding("rights", "ok", f"{role!r} may create schemas and temporary tables")
    where = f"; it may create tables in {', '.join(own)}" if own else ""
    advice = f'GRANT {", ".join(lacking)} ON DATABASE ... TO "{role}", if it shall.'
    return Finding(
        "rights", "warning", f"{role!r} lacks {' and '.join(lacking)} on the database{where}", (advice,)
    )


def _clock(database: Database) -> Finding:
    before = time.time()
    [(there,)] = database.session.execute("SELECT extract(epoch FROM clock_timestamp())::float8", [])
    after = time.time()
    apart = max(before - there, there - after, 0.0)
    told = f"{apart:.1f} s from that of the server"
    if apart > _MOST_SECONDS:
        return Finding("clock", "warning", told, ("Set the clock of one of them, best by NTP.",))
    return Finding("clock", "ok", told)


def _store(database: Database, name: str) -> Finding:
    """Whether a store can be written, read and cleaned, by a file that is there for a moment."""
    check, path, content = f"store {name}", f"_doctor_{uuid4().hex}", b"djflow doctor"
    try:
        store = database.open_store(name)
        store.put(path, content)
        try:
            is_same = store.get(path) == content
        finally:
            store.remove(path)
    except DjflowError as error:
        return _failed(check, error, f"Look at `djflow config show stores.{name}`.")
    settings = database.settings.stores.named(name)
    told = f"{settings.protocol}, {settings.location or 'at its root'}"
    if not is_same:
        return Finding(check, "failed", f"{told}: what was read is not what was written")
    if settings.protocol == "file":
        disk = _disk(check, Path(settings.location or "."))
        return Finding(check, disk.state, f"{told}, {disk.told.partition(' at ')[0]}", disk.advice)
    return Finding(check, "ok", told)


def _failed(check: str, error: DjflowError, *advice: str) -> Finding:
    return Finding(check, "failed", str(error), (*getattr(error, "__notes__", ()), *advice))
