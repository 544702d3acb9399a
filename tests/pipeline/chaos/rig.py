"""A pipeline, the servers that it lives on, and somebody who kills all of them, one after another."""

import json
import os
import random
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Self, TypeAlias
from uuid import uuid4

from tests.pipeline.chaos import pipeline
from tests.pipeline.chaos.account import Account
from tests.pipeline.chaos.programs import Program
from tests.pipeline.chaos.servers import ObjectStore, Postgres, Victim

Kind: TypeAlias = Literal["worker", "scheduler", "client", "postgres", "store"]

KINDS: Final[tuple[Kind, ...]] = ("worker", "scheduler", "client", "postgres", "store")
ROOT: Final = Path(__file__).parents[3]
LEASE: Final = 2  # seconds
_LONGEST_ABSENCE: Final = 1.5  # seconds
_POLL: Final = 0.02


@dataclass(frozen=True)
class Strike:
    """What is killed once so many calls of `make` have begun."""

    kind: Kind
    after: int


def strikes(kinds: Sequence[Kind], calls: int, chance: random.Random) -> list[Strike]:
    """One of each of some kinds, at random moments of the first nine tenths of a number of calls."""
    moments = sorted(chance.sample(range(1, calls * 9 // 10), len(kinds)))
    order = list(kinds)
    chance.shuffle(order)
    return [Strike(kind, after) for kind, after in zip(order, moments, strict=True)]


@dataclass
class Rig:
    """Servers of its own, in a folder; a context manager."""

    folder: Path
    chance: random.Random
    every: int = 1
    """Each so many-th key has objects."""
    pause: float = 0.02
    stack: ExitStack = field(default_factory=ExitStack)
    struck: Counter[str] = field(default_factory=Counter)
    history: list[str] = field(default_factory=list)
    _begun: float = field(default_factory=time.monotonic)

    def __enter__(self) -> Self:
        self.log = self.folder / "attempts.log"
        with ExitStack() as stack:
            self.postgres = Postgres(self.folder / "postgres")
            stack.callback(self.postgres.close)
            self.store = ObjectStore(self.folder / "store")
            stack.callback(self.store.close)
            self.store.start()
            self.postgres.start()
            kept = {name: value for name, value in os.environ.items() if not name.startswith(("DJ", "PG"))}
            self.environment = {
                **kept,
                **self.postgres.environment(),
                **self.store.environment(),
                "PYTHONPATH": str(ROOT),
                "DJ_IGNORE_CONFIG_FILE": "true",
                "DJ_JOBS_LEASE": str(LEASE),
                pipeline.SCHEMA: f"chaos_{uuid4().hex[:8]}",
                pipeline.LOG: str(self.log),
                pipeline.PAUSE: str(self.pause),
                pipeline.EVERY: str(self.every),
            }
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def program(self, log: str, name: str, *arguments: str) -> Program:
        """A program of the rig, which ends with it."""
        program = Program(self.folder / f"{log}.log", self.environment, name, *arguments)
        self.stack.callback(program.close)
        return program

    def ask(self, *order: str) -> str:
        """What the scientist's program answers."""
        program = self.program(order[0], "client", *order)
        program.start()
        assert program.wait() == 0, program.said()
        self.note(f"{order[0]} is done")
        return program.said().splitlines()[-1]

    def account(self, number: int) -> Account:
        """What there is in the end."""
        return Account(**json.loads(self.ask("account", str(number))))

    def calls(self) -> int:
        """How many calls of `make` have begun."""
        return self.log.read_bytes().count(b"\n") if self.log.exists() else 0

    def note(self, what: str) -> None:
        """Remember when something happened."""
        self.history.append(f"{time.monotonic() - self._begun:6.1f} s  {self.calls():5} calls  {what}")

    def strike(self, kind: str, victim: Victim) -> None:
        """Kill something; after a while, start it again."""
        self.struck[kind] += 1
        self.note(f"{kind} is killed")
        victim.kill()
        time.sleep(self.chance.random() * _LONGEST_ABSENCE)
        victim.start()
        self.note(f"{kind} was started")


@dataclass
class Cluster:
    """A scheduler and workers of Dask, each a program of its own."""

    rig: Rig
    workers: int = 2

    def __post_init__(self) -> None:
        self.address = f"tcp://127.0.0.1:{_free_port()}"
        port = self.address.rpartition(":")[2]
        self.scheduler = self.rig.program("scheduler", "scheduler", "--port", port)
        options = (self.address, "--death-timeout", "30", "--local-directory")
        self.each = [
            self.rig.program(f"worker-{n}", "worker", *options, str(self.rig.folder / f"scratch-{n}"))
            for n in range(self.workers)
        ]
        for program in (self.scheduler, *self.each):
            program.start()

    def mend(self) -> None:
        """Start again whatever has ended."""
        for program in (self.scheduler, *self.each):
            if program.has_ended():
                program.start()


def chaos(rig: Rig, strikes: Sequence[Strike], until: Callable[[], bool]) -> Program:
    """Run a client on a cluster until it comes to its end by itself, while others strike."""
    cluster = Cluster(rig)
    client = rig.program("client", "client", "run", cluster.address)
    victims: dict[Kind, Callable[[], Victim]] = {
        "worker": lambda: rig.chance.choice(cluster.each),
        "scheduler": lambda: cluster.scheduler,
        "client": lambda: client,
        "postgres": lambda: rig.postgres,
        "store": lambda: rig.store,
    }
    rig.note("cluster was started")
    client.start()
    due = list(strikes)
    while True:
        assert until(), client.said()
        cluster.mend()
        if client.has_ended():
            rig.note(f"client has ended: {client.ends[-1]}")
            if client.ends[-1] == 0:
                return client
            time.sleep(0.2)
            client.start()
        if due and rig.calls() >= due[0].after:
            strike = due.pop(0)
            rig.strike(strike.kind, victims[strike.kind]())
        time.sleep(_POLL)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
