"""To a cluster of others, or a new one on this machine."""

import logging
import os
import signal
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from djflow.errors import ClusterLostError, ExecutorError

if TYPE_CHECKING:
    from distributed import Client
    from distributed.diagnostics.plugin import WorkerPlugin

Where: TypeAlias = "Client | str | None"

_ANSWER: Final = 10.0  # seconds
_AGAIN: Final = "What was finished is kept: run again as soon as there is a cluster."
_TRIES: Final = 5


class Connection:
    """A client, and the cluster if it is our own; both end with it unless they were given."""

    def __init__(self, where: Where, workers: int | None, resources: Mapping[str, float]) -> None:
        self._stack = ExitStack()
        self._cluster: Any = None  # Dask is typed in parts
        try:
            self.client: Any = self._connect(where, workers, resources)
        except ImportError as error:
            raise ExecutorError("Dask is not installed: `pip install 'djflow[dask]'`.") from error
        except (OSError, TimeoutError) as error:
            self._stack.close()
            raise ClusterLostError(f"No Dask scheduler answers at {where!r}.").suggest(
                "Look whether it runs, and whether this machine may reach that address."
            ) from error
        except RuntimeError as error:
            self._stack.close()
            raise ExecutorError(f"The cluster does not start: {error}").suggest(
                'Dask runs a script again in each worker: begin with `if __name__ == "__main__":`.'
            ) from error

    def ask(self, handler: str, /, **arguments: Any) -> Any:
        """Call a handler of the scheduler."""
        self.check()
        try:
            return self.client.sync(
                getattr(self.client.scheduler, handler), callback_timeout=_ANSWER, **arguments
            )
        except (OSError, TimeoutError, RuntimeError) as error:  # RuntimeError: it was closed meanwhile
            raise ClusterLostError("The scheduler of the cluster does not answer.").suggest(_AGAIN) from error

    def has_worker_with(self, resources: Mapping[str, float]) -> bool:
        """Whether a worker was started with so much of everything, however busy it is."""
        workers = self.ask("identity")["workers"].values()
        return any(
            all(worker["resources"].get(name, 0) >= amount for name, amount in resources.items())
            for worker in workers
        )

    def register(self, plugin: "WorkerPlugin") -> None:
        """Give all workers a plugin, those that are there and those to come."""
        for _ in range(_TRIES):
            try:
                self.client.register_plugin(plugin)
            except OSError:  # a worker is about to go; the others get it once more, which replaces it
                continue
            return
        raise ClusterLostError("The workers of the cluster do not answer.").suggest(_AGAIN)

    def check(self) -> None:
        """Raise `ClusterLostError` where the scheduler is gone."""
        if self.client.status != "running":
            raise ClusterLostError("The connection to the scheduler of the cluster is lost.").suggest(_AGAIN)

    def kill_own_workers(self) -> None:
        """End the processes of our own cluster in the midst of whatever they do."""
        for nanny in self._cluster.workers.values() if self._cluster is not None else ():
            nanny.auto_restart = False
            if nanny.pid is not None:
                with suppress(OSError):
                    os.kill(nanny.pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)

    def close(self) -> None:
        """Leave the cluster as it was given."""
        self._stack.close()

    def _connect(self, where: Where, workers: int | None, resources: Mapping[str, float]) -> Any:
        import distributed

        from djflow.executors.dask.worker_side import IgnoreInterrupts

        if isinstance(where, distributed.Client):
            if where.asynchronous:
                raise ExecutorError("The client of the cluster must not be asynchronous.")
            return where
        make: Any = distributed
        if where is not None:
            return self._stack.enter_context(make.Client(where, timeout=_ANSWER, set_as_default=False))
        self._cluster = self._stack.enter_context(
            make.LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                dashboard_address=":0",
                resources=dict(resources) or None,
                silence_logs=logging.CRITICAL,  # what happens to workers is told by events
            )
        )
        client = self._stack.enter_context(make.Client(self._cluster, set_as_default=False))
        client.register_plugin(IgnoreInterrupts())
        return client
