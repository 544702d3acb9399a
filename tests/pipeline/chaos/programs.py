"""Programs that can be killed, and started again: forked from one that has imported what they need."""

import multiprocessing
import os
from collections.abc import Mapping
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import TYPE_CHECKING

import distributed
import networkx as nx
import obstore
import polars as pl
import psycopg
import zarr
from tests.pipeline.chaos.servers import PATIENCE

import djflow as dj
from djflow.executors.dask import scheduler_side, worker_side
from djflow.pipeline.flow import engine

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

LOADED = (distributed, dj.Flow, engine, nx, obstore, pl, psycopg, scheduler_side, worker_side, zarr)


def forking() -> ForkServerContext:
    """Where programs come from."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def begin(environment: Mapping[str, str], log: Path, name: str, arguments: tuple[str, ...]) -> None:
    """The whole of a program's life."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(log.parent)
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    match name:
        case "scheduler":
            from distributed.cli.dask_scheduler import main as scheduler

            scheduler([*arguments, "--no-dashboard", "--host", "127.0.0.1"])
        case "worker":
            from distributed.cli.dask_worker import main as worker

            worker([*arguments, "--no-dashboard", "--host", "127.0.0.1", "--no-nanny", "--nthreads", "1"])
        case "client":
            from tests.pipeline.chaos import client

            client.main(*arguments)


class Program:
    """A program that is run again and again; what it says is kept."""

    def __init__(self, log: Path, environment: Mapping[str, str], name: str, *arguments: str) -> None:
        self._log, self._arguments = log, (environment, log, name, arguments)
        self._process: BaseProcess | None = None
        self.ends: list[int] = []

    def start(self) -> None:
        self._process = forking().Process(target=begin, args=self._arguments, daemon=True)
        self._process.start()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self.has_ended()

    close = kill

    def has_ended(self) -> bool:
        """Whether it does not run; how it ended is noted once."""
        if self._process is not None and self._process.exitcode is not None:
            self.ends.append(self._process.exitcode)
            self._process.close()
            self._process = None
        return self._process is None

    def wait(self) -> int:
        """How it ended."""
        if self._process is not None:
            self._process.join(PATIENCE)
        assert self.has_ended(), self.said()[-2000:]
        return self.ends[-1]

    def said(self) -> str:
        """All that it said so far."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""
