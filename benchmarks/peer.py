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
    """Seconds by name; or, where there are none, the reason."""

    seconds: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""

    def row(
        self, name: str, measured: float, key: str, target: Target | None = None, *, note: str = ""
    ) -> Row:
        """A measured time beside the one of this name, or a row that tells why there is none."""
        if self.reason:
            return Row(name, measured, self.reason, None, target)
        return Row(name, measured, f"DataJoint{note}", self.seconds[key], target)


def datajoint_times(bench: Bench, task: str, *sizes: int) -> DataJointTimes:
    """Run one task of `benchmarks.datajoint_peer`."""
    if find_spec("datajoint") is None:
        return DataJointTimes(reason="datajoint not installed")
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.datajoint_peer", SCHEMA, task]
    done = subprocess.run(
        [*command, *map(str, sizes)], env=_environment(bench.url), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        return DataJointTimes(reason=f"datajoint failed: {done.stderr.strip().splitlines()[-1]}")
    return DataJointTimes(json.loads(done.stdout.splitlines()[-1]))


def _environment(url: str) -> dict[str, str]:
    given = conninfo_to_dict(url)
    return {
        **os.environ,
        "DJ_BACKEND": "postgresql",
        "DJ_HOST": str(given["host"]),  # a folder with a socket, which libpq takes for a host
        "DJ_PORT": str(given["port"]),
        "DJ_USER": str(given["user"]),
        "DJ_PASS": "unused",  # without one it would ask
        "DJ_DATABASE_NAME": str(given["dbname"]),
        "DJ_USE_TLS": "false",
    }
