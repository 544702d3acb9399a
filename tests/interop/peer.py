"""DataJoint as a peer: functions of the tests that run with it, in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from inspect import getsource
from pathlib import Path
from typing import Any, Final

from psycopg.conninfo import conninfo_to_dict

from djflow.configuration import Settings

VARIABLE: Final = "DJFLOW_TEST_DATAJOINT_PYTHON"
_PROGRAM: Final = """
from __future__ import annotations
import json, sys
from types import SimpleNamespace
from typing import Any
import datajoint as dj
given = json.loads(sys.argv[1])
dj.config["stores"] = given["stores"]
dj.config["safemode"] = False
dj.config["jobs.add_job_metadata"] = True
{sources}
print(json.dumps({function}(dj, **given["arguments"]), default=str))
"""


def datajoint_python() -> str | None:
    """The Python that has DataJoint: the one that the environment names, or else this one if it has it."""
    here = sys.executable if find_spec("datajoint") and find_spec("psycopg2") else None
    return os.environ.get(VARIABLE) or here


def stores_of(settings: Settings) -> dict[str, Any]:
    """The stores as DataJoint is told about them."""
    named = {
        name: {"protocol": each.protocol, "location": each.location}
        for name, each in settings.stores.by_name.items()
    }
    return {"default": settings.stores.default, **named}


@dataclass(frozen=True, slots=True)
class Peer:
    """Calls functions with DataJoint as their first argument; what they give comes back as JSON.

    A function stands by itself: only its text goes to the other process. So it imports what it uses, and
    functions that it calls are named with it.
    """

    python: str
    url: str
    stores: Mapping[str, Any]
    folder: Path

    def __call__(self, function: Callable[..., Any], /, *called: Callable[..., Any], **arguments: Any) -> Any:
        """The result of `function(dj, **arguments)` there. Raises `AssertionError` with what it wrote."""
        sources = "\n".join(map(getsource, (*called, function)))
        program = _PROGRAM.format(sources=sources, function=function.__name__)
        given = json.dumps({"stores": self.stores, "arguments": arguments})
        done = subprocess.run(
            [self.python, "-W", "ignore", "-c", program, given],
            env=self._environment(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def _environment(self) -> dict[str, str]:
        server = conninfo_to_dict(self.url)
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "DJ_BACKEND": "postgresql",
            "DJ_HOST": str(server["host"]),  # a folder with a socket, which libpq takes for a host
            "DJ_PORT": str(server.get("port") or 5432),
            "DJ_USER": str(server["user"]),
            "DJ_PASS": str(server.get("password", "unused")),  # without one it would ask
            "DJ_DATABASE_NAME": str(server["dbname"]),
            "DJ_USE_TLS": "false",
        }
