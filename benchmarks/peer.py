"""DataJoint as a peer, in a process of its own, on the same server and the same tables."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec

from psycopg.conninfo import conninfo_to_dict

from benchmarks.report import Row, Target
from benchmarks.server import SCHEMA, Bench


@dataclass(frozen=True, slots=True)
class DataJointTimes:
    """Seconds by name; or, where there are none, the reason.

    With `is_cut_short` DataJoint was stopped after these seconds, before it was done.
    """

    seconds: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    is_cut_short: bool = False

    def row(
        self, name: str, measured: float, key: str, target: Target | None = None, *, note: str = ""
    ) -> Row:
        """A measured time beside the one of this name, or a row that tells why there is none."""
        if self.reason:
            return Row(name, measured, self.reason, None, target)
        stopped = ", stopped before its end" if self.is_cut_short else ""
        return Row(name, measured, f"DataJoint{note}{stopped}", self.seconds[key], target)


def datajoint_times(
    bench: Bench, task: str, *sizes: int, patience: float | None = None, stores: str = ""
) -> DataJointTimes:
    """Run one task of `benchmarks.datajoint_peer`, for so many seconds at most.

    When they are over, they stand under the task's name for the time that is not known.
    `stores` are the object stores that it may use, as `DJ_STORES` has them.
    """
    if find_spec("datajoint") is None:
        return DataJointTimes(reason="datajoint not installed")
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.datajoint_peer", SCHEMA, task]
    try:
        done = subprocess.run(
            [*command, *map(str, sizes)],
            env=_environment(bench.url, patience) | {"DJ_STORES": stores},
            capture_output=True,
            text=True,
            check=False,
            timeout=patience,
        )
    except subprocess.TimeoutExpired as error:
        return DataJointTimes({task: error.timeout}, is_cut_short=True)
    if done.returncode != 0:
        return DataJointTimes(reason=f"datajoint failed: {done.stderr.strip().splitlines()[-1]}")
    return DataJointTimes(json.loads(done.stdout.splitlines()[-1]))


def _environment(url: str, patience: float | None) -> dict[str, str]:
    given = conninfo_to_dict(url)
    # The server would go on with a query whose client is gone.
    most = 0 if patience is None else int(patience * 1000)
    return {
        **os.environ,
        "DJ_BACKEND": "postgresql",
        "DJ_HOST": str(given["host"]),  # a folder with a socket, which libpq takes for a host
        "DJ_PORT": str(given["port"]),
        "DJ_USER": str(given["user"]),
        "DJ_PASS": "unused",  # without one it would ask
        "DJ_DATABASE_NAME": str(given["dbname"]),
        "DJ_USE_TLS": "false",
        "PGOPTIONS": f"-c statement_timeout={most}",
    }
