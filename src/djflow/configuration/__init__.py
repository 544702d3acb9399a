"""Settings: immutable values, where they are read from, and the changeable `dj.config`."""

from typing import Final

from djflow.configuration.build import changed
from djflow.configuration.config import Config, dotted
from djflow.configuration.database import DatabaseSettings, TlsFiles
from djflow.configuration.database_url import parse_database_url
from djflow.configuration.files import find_config_file, find_config_files
from djflow.configuration.frozen import FrozenMapping
from djflow.configuration.load import forbid_in_thread_safe_mode, load, load_shared
from djflow.configuration.loglevel import apply_loglevel
from djflow.configuration.secret import Secret
from djflow.configuration.settings import ConnectionSettings, DisplaySettings, JobsSettings, Settings
from djflow.configuration.sources import find_secrets_dir
from djflow.configuration.stores import StoreSettings, StoresSettings

__all__ = [
    "Config",
    "ConnectionSettings",
    "DatabaseSettings",
    "DisplaySettings",
    "FrozenMapping",
    "JobsSettings",
    "Secret",
    "Settings",
    "StoreSettings",
    "StoresSettings",
    "TlsFiles",
    "changed",
    "dotted",
    "find_config_file",
    "find_config_files",
    "find_secrets_dir",
    "forbid_in_thread_safe_mode",
    "load",
    "load_shared",
    "parse_database_url",
    "shared",
]

shared: Final = Config(load_shared, apply_loglevel)
"""The configuration of this process, `dj.config`; it reads nothing before it is first used."""
