"""Every error that djflow raises on purpose.

```
DjflowError (= DataJointError)
├── ConfigError                  a setting that cannot be read or used
│   └── UnknownSettingError      a setting that does not exist
├── DefinitionError              a mistake in a table definition, with its line and a caret
├── ServerError                  the embedded PostgreSQL cannot run
│   └── DiskFullError
├── ConnectionFailedError        no server could be reached; says what was tried
├── LostConnectionError
│   └── OutcomeUnknownError      ... while something was being committed: look whether it was
├── QueryError
│   ├── QuerySyntaxError         a condition or expression that cannot be understood
│   ├── AccessError              the role lacks a right
│   │   └── OwnershipError       rows that belong to colleagues
│   ├── UnknownRoleError         a database role that does not exist
│   ├── DuplicateError           a key that exists already
│   │   └── ConflictError        ... with other values than those given; lists the differences
│   ├── MissingRowError          a row that must exist and does not
│   ├── IntegrityError           a parent that does not exist, or a child that still does
│   ├── PartIntegrityError       parts that would go without their master
│   ├── UnknownAttributeError
│   ├── MissingAttributeError
│   ├── InvalidRowsError         a source of rows whose form insert does not understand
│   ├── InvalidArgumentError     an argument of the wrong kind
│   ├── MissingMethodError       an attribute that a query does not have, with what to write instead
│   ├── AmbiguousPathError       tables connected by foreign keys in ways that give different rows
│   ├── RetryableError           a transaction that another one was in the way of
│   │   ├── SerializationError
│   │   └── DeadlockError
│   ├── LeaseLostError           jobs that somebody else holds by now, or that are gone
│   ├── SnapshotGoneError        a view of the database that nobody holds any more
│   └── DataTypeError            a value that its column cannot hold, with row and column
├── SemanticMatchError           namesakes with different lineages
├── MissingTableError
│   ├── MissingSchemaError       a schema that the database does not have
│   └── UnknownTableError        a name that no table of a schema has
├── AlterationError              a change of a table's definition that was refused; nothing was changed
├── ArchiveError                 an archive that cannot be written, or is not what was written
├── StorageError                 the object store refused
│   ├── MissingExternalFile
│   ├── BucketInaccessible
│   ├── StoreFullError
│   ├── RegionError              a part of a chunk of an array that several writers share
│   └── CorruptObjectError       stored bytes that are not what was written
├── InputChangedError            what a make had fetched is another now
├── InputGoneError               keys that were deleted while they were made
├── ReadsError                   a make that read what its key does not depend on
├── UnusableKeyError             a table whose keys are documents or lists, which cannot be populated
├── WatchBlockedError            a table whose inserts cannot be told, for others keep it locked
├── WorkerDiedError              a worker that did not survive a key
├── ThreadSafetyError
├── ExecutorError                tasks that cannot be run, through no fault of theirs
│   ├── UnpicklableTaskError     what cannot travel to another process
│   ├── WorkerSetupError         a worker that cannot begin
│   └── ClusterLostError         a scheduler that is gone
├── DrawingError                 a picture for which this machine lacks something
└── PlannerBugError              a rewrite rule broke its promise: please report

UserWarning
├── ConfigWarning                an environment variable that is probably misspelt
│   └── CredentialsWarning       a password in a file that people commit
├── NativeTypeWarning            a type spelled in a database's own way
└── ReadsWarning                 a make that read what its key does not depend on
```
"""

from djflow.errors.access import AccessError, OwnershipError, UnknownRoleError
from djflow.errors.attributes import DataTypeError, MissingAttributeError, UnknownAttributeError
from djflow.errors.base import DjflowError
from djflow.errors.configuration import (
    ConfigError,
    ConfigWarning,
    CredentialsWarning,
    ThreadSafetyError,
    UnknownSettingError,
)
from djflow.errors.definition import (
    AlterationError,
    DefinitionError,
    MissingSchemaError,
    MissingTableError,
    NativeTypeWarning,
    UnknownTableError,
)
from djflow.errors.drawing import DrawingError
from djflow.errors.executors import (
    ClusterLostError,
    ExecutorError,
    UnpicklableTaskError,
    WorkerSetupError,
)
from djflow.errors.jobs import LeaseLostError
from djflow.errors.populating import (
    InputChangedError,
    InputGoneError,
    UnusableKeyError,
    WatchBlockedError,
    WorkerDiedError,
)
from djflow.errors.query import (
    AmbiguousPathError,
    DeadlockError,
    InvalidArgumentError,
    MissingMethodError,
    PlannerBugError,
    QueryError,
    QuerySyntaxError,
    RetryableError,
    SemanticMatchError,
    SerializationError,
    SnapshotGoneError,
)
from djflow.errors.reads import ReadsError, ReadsWarning
from djflow.errors.rows import (
    ConflictError,
    DuplicateError,
    IntegrityError,
    InvalidRowsError,
    MissingRowError,
    PartIntegrityError,
)
from djflow.errors.server import (
    ConnectionFailedError,
    DiskFullError,
    LostConnectionError,
    OutcomeUnknownError,
    ServerError,
)
from djflow.errors.storage import (
    ArchiveError,
    BucketInaccessible,
    CorruptObjectError,
    MissingExternalFile,
    RegionError,
    StorageError,
    StoreFullError,
)
from djflow.errors.text import did_you_mean

DataJointError = DjflowError

# They are raised, shown and pickled by the place where people import them from.
for _error in list(vars().values()):
    if isinstance(_error, type):
        _error.__module__ = __name__

__all__ = [
    "AccessError",
    "AlterationError",
    "AmbiguousPathError",
    "ArchiveError",
    "BucketInaccessible",
    "ClusterLostError",
    "ConfigError",
    "ConfigWarning",
    "ConflictError",
    "ConnectionFailedError",
    "CorruptObjectError",
    "CredentialsWarning",
    "DataJointError",
    "DataTypeError",
    "DeadlockError",
    "DefinitionError",
    "DiskFullError",
    "DjflowError",
    "DrawingError",
    "DuplicateError",
    "ExecutorError",
    "InputChangedError",
    "InputGoneError",
    "IntegrityError",
    "InvalidArgumentError",
    "InvalidRowsError",
    "LeaseLostError",
    "LostConnectionError",
    "MissingAttributeError",
    "MissingExternalFile",
    "MissingMethodError",
    "MissingRowError",
    "MissingSchemaError",
    "MissingTableError",
    "NativeTypeWarning",
    "OutcomeUnknownError",
    "OwnershipError",
    "PartIntegrityError",
    "PlannerBugError",
    "QueryError",
    "QuerySyntaxError",
    "ReadsError",
    "ReadsWarning",
    "RegionError",
    "RetryableError",
    "SemanticMatchError",
    "SerializationError",
    "ServerError",
    "SnapshotGoneError",
    "StorageError",
    "StoreFullError",
    "ThreadSafetyError",
    "UnknownAttributeError",
    "UnknownRoleError",
    "UnknownSettingError",
    "UnknownTableError",
    "UnpicklableTaskError",
    "UnusableKeyError",
    "WatchBlockedError",
    "WorkerDiedError",
    "WorkerSetupError",
    "did_you_mean",
]
