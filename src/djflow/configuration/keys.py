"""Every setting: its dotted name, what it accepts, and the environment variable that sets it."""

from dataclasses import dataclass
from typing import Final

from djflow.configuration.kinds import (
    BACKEND,
    BOOLEAN,
    CACHE,
    HOME,
    HOST,
    LENGTHS,
    PARAMETERS,
    PREFIX,
    SECRET,
    TEXT,
    TLS,
    Kind,
    integer,
    one_of,
)


@dataclass(frozen=True, slots=True)
class Key:
    """A setting; `variable` is empty where no environment variable sets it."""

    name: str
    kind: Kind
    variable: str = ""


_KEYS: Final = (
    Key("database.backend", BACKEND, "DJ_BACKEND"),
    Key("database.host", HOST, "DJ_HOST"),
    Key("database.port", integer(1, 65535), "DJ_PORT"),
    Key("database.user", TEXT, "DJ_USER"),
    Key("database.password", SECRET, "DJ_PASS"),
    Key("database.name", TEXT, "DJ_DATABASE_NAME"),
    Key("database.reconnect", BOOLEAN),
    Key("database.use_tls", TLS, "DJ_USE_TLS"),
    Key("database.database_prefix", TEXT, "DJ_DATABASE_PREFIX"),
    Key("database.create_tables", BOOLEAN, "DJ_CREATE_TABLES"),
    Key("database.options", PARAMETERS),
    Key("connection.init_function", TEXT),
    Key("jobs.auto_refresh", BOOLEAN, "DJ_JOBS_AUTO_REFRESH"),
    Key("jobs.keep_completed", BOOLEAN, "DJ_JOBS_KEEP_COMPLETED"),
    Key("jobs.stale_timeout", integer(0), "DJ_JOBS_STALE_TIMEOUT"),
    Key("jobs.lease", integer(1, 86_400), "DJ_JOBS_LEASE"),
    Key("jobs.default_priority", integer(0, 255), "DJ_JOBS_DEFAULT_PRIORITY"),
    Key("jobs.version_method", one_of("git", "none"), "DJ_JOBS_VERSION_METHOD"),
    Key("jobs.add_job_metadata", BOOLEAN, "DJ_JOBS_ADD_JOB_METADATA"),
    Key(
        "jobs.allow_new_pk_fields_in_computed_tables",
        BOOLEAN,
        "DJ_JOBS_ALLOW_NEW_PK_FIELDS_IN_COMPUTED_TABLES",
    ),
    Key("display.limit", integer(1)),
    Key("display.width", integer(1)),
    Key("display.show_tuple_count", BOOLEAN),
    Key("display.diagram_direction", one_of("LR", "TB"), "DJ_DIAGRAM_DIRECTION"),
    Key("loglevel", one_of("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), "DJ_LOG_LEVEL"),
    Key("safemode", BOOLEAN, "DJ_SAFEMODE"),
    Key("enable_python_native_blobs", BOOLEAN),
    Key("cache", TEXT),
    Key("query_cache", TEXT),
    Key("download_path", TEXT),
    Key("home", HOME, "DJFLOW_HOME"),
)

KEYS: Final = {key.name: key for key in _KEYS}
SECTIONS: Final = ("database", "connection", "jobs", "display")
STORES: Final = "stores"

# What every store has; its other settings belong to its protocol.
STORE_KINDS: Final = {
    "protocol": TEXT,
    "location": TEXT,
    "hash_prefix": PREFIX,
    "schema_prefix": PREFIX,
    "filepath_prefix": PREFIX,
    "subfolding": LENGTHS,
    "partition_pattern": TEXT,
    "token_length": integer(4, 16),
    "cache": CACHE,
}

OTHER_NAMES: Final = {"jobs.version": "jobs.version_method"}
# Settings of DataJoint that mean nothing here: MySQL's, and those that it retired.
WITHOUT_MEANING: Final = frozenset({"connection.charset", "ignore_config_file", "strict_provenance"})
