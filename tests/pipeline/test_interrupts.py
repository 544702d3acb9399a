"""Ctrl-C and SIGTERM: the first lets what is in hand be finished, the second ends it."""

import signal
import subprocess
import sys
from typing import Any

import pytest

from djflow.tables.schema import Schema

_WORKER = """
import sys, time
import djflow as dj
schema = dj.Schema(sys.argv[1])
@schema
class Number(dj.Lookup):
    definition = "number : int32"
    contents = [(n,) for n in range(50)]
@schema
class Slow(dj.Computed):
    definition = '''
    -> Number
    ---
    x : int32
    '''
    def make(self, key):
        print("begun", flush=True)
        time.sleep(1)
        self.insert1({**key, "x": 1})
{run}
"""
_RUNS = {
    "directly": "Slow.populate()",
    "from the queue": "Slow.populate(reserve_jobs=True)",
    "on processes": "Slow.populate(reserve_jobs=True, executor='threads', workers=1)",
    "as a flow": "dj.Flow(schema).populate(display_progress=False)",
}


def start(schema: Schema, environment: dict[str, str], run: str) -> "subprocess.Popen[str]":
    worker = subprocess.Popen(
        [sys.executable, "-c", _WORKER.replace("{run}", run), schema.database],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == "begun\n"
    return worker


def made(schema: Schema) -> Any:
    return schema.connection.query(f'SELECT count(*) FROM "{schema.database}"."__slow"')[0][0]


def reserved(schema: Schema) -> Any:
    queue = f'"{schema.database}"."~~slow"'
    [(exists,)] = schema.connection.query("SELECT to_regclass($1) IS NOT NULL", (queue,))
    if not exists:
        return 0
    return schema.connection.query(f"SELECT count(*) FROM {queue} WHERE status = 'reserved'")[0][0]


@pytest.mark.parametrize("run", _RUNS.values(), ids=list(_RUNS))
def test_the_first_ctrl_c_finishes_the_key_in_hand(
    schema: Schema, process_environment: dict[str, str], run: str
) -> None:
    worker = start(schema, process_environment, run)
    worker.send_signal(signal.SIGINT)
    _, told = worker.communicate(timeout=60)
    assert "Finishing the keys in hand" in told
    assert "KeyboardInterrupt: Stopped by Ctrl-C" in told
    assert made(schema) == 1
    assert reserved(schema) == 0


@pytest.mark.parametrize("run", [_RUNS[how] for how in ("directly", "as a flow")])
def test_the_second_ctrl_c_stops_at_once(
    schema: Schema, process_environment: dict[str, str], run: str
) -> None:
    worker = start(schema, process_environment, run)
    assert worker.stderr is not None
    worker.send_signal(signal.SIGINT)
    assert "Finishing" in worker.stderr.readline()
    worker.send_signal(signal.SIGINT)
    worker.communicate(timeout=60)
    assert worker.returncode != 0
    assert made(schema) <= 1
    assert reserved(schema) == 0


def test_sigterm_finishes_the_key_in_hand_and_ends_the_process(
    schema: Schema, process_environment: dict[str, str]
) -> None:
    worker = start(schema, process_environment, _RUNS["from the queue"])
    worker.send_signal(signal.SIGTERM)
    worker.communicate(timeout=60)
    assert worker.returncode == 128 + signal.SIGTERM
    assert made(schema) == 1
    assert reserved(schema) == 0


def test_handlers_of_the_program_itself_are_left_alone(
    schema: Schema, process_environment: dict[str, str]
) -> None:
    own = "import signal\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\nSlow.populate()"
    worker = start(schema, process_environment, own)
    worker.send_signal(signal.SIGTERM)
    worker.communicate(timeout=60)
    assert worker.returncode == 7
    assert made(schema) == 0
