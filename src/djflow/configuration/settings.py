"""All settings as one immutable value."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from djflow.configuration.database import DatabaseSettings
from djflow.configuration.frozen import FrozenMapping
from djflow.configuration.home import default_home
from djflow.configuration.stores import StoresSettings


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """What happens on connecting: `init_function` is an SQL expression to evaluate first; not used yet."""

    init_function: str | None = None


@dataclass(frozen=True, slots=True)
class JobsSettings:
    """How computed tables are populated.

    `stale_timeout` and `lease` are in seconds. `default_priority` is from 0 to 255, lower is sooner.
    `version_method` is `"git"`, `"none"` or `None`. `add_job_metadata` adds hidden columns with start,
    duration and version.
    """

    auto_refresh: bool = True
    keep_completed: bool = False
    stale_timeout: int = 3600
    default_priority: int = 5
    version_method: str | None = None
    add_job_metadata: bool = False
    allow_new_pk_fields_in_computed_tables: bool = False
    lease: int = 60


@dataclass(frozen=True, slots=True)
class DisplaySettings:
    """How relations and diagrams are shown: at most `limit` rows, texts in at least `width` characters.

    `show_tuple_count` tells how many rows there are, where that is known or cheap. `diagram_direction` is
    `"LR"` (left to right) or `"TB"` (top to bottom).
    """

    limit: int = 12
    width: int = 14
    show_tuple_count: bool = True
    diagram_direction: str = "LR"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be configured; immutable, hashable and picklable.

    `home` is where the embedded server and the store "local" live. `safemode` asks before deleting or
    dropping. `download_path` receives fetched attachments and files. `loglevel` in `dj.config` is that of
    the logger "djflow". The caches and `enable_python_native_blobs` are accepted and not used yet. `origins`
    says by dotted name where each value that is no default was given; it does not count when settings are
    compared.

    >>> settings = Settings(home=Path("lab"))
    >>> settings.database.is_configured, settings.stores.default, settings.display.limit
    (False, 'local', 12)
    """

    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    connection: ConnectionSettings = ConnectionSettings()
    stores: StoresSettings = field(default_factory=StoresSettings)
    jobs: JobsSettings = JobsSettings()
    display: DisplaySettings = DisplaySettings()
    loglevel: str = "INFO"
    safemode: bool = True
    enable_python_native_blobs: bool = True
    cache: str | None = None
    query_cache: str | None = None
    download_path: str = "."
    home: Path = field(default_factory=lambda: default_home(os.environ))
    origins: FrozenMapping[str] = field(default_factory=FrozenMapping, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "stores", self.stores.with_local(self.home))
