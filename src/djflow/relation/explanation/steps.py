"""The steps in which a plan is answered, in order: on the server, and in Polars where SQL cannot say it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from djflow.engine.compile import Compiled, compile_plan
from djflow.planner.explain import show_node
from djflow.planner.lower_sql import lower_rows
from djflow.planner.nodes import Node
from djflow.planner.rewriter import optimise
from djflow.planner.split import Stage, split

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class ServerStep:
    """A statement; with `inputs`, over the rows of earlier steps, which travel as arrays."""

    number: int
    inputs: tuple[int, ...]
    compiled: Compiled

    @property
    def place(self) -> str:
        """Where it runs, and by which driver where that is known."""
        if self.inputs:
            return "Server"
        return f"Server ({'psycopg' if self.compiled.is_small else 'ADBC'})"


@dataclass(frozen=True, slots=True)
class PolarsStep:
    """A node that Polars runs over the rows of earlier steps."""

    number: int
    inputs: tuple[int, ...]
    node: Node

    @property
    def place(self) -> str:
        """Where it runs."""
        return "Polars"

    @property
    def text(self) -> str:
        """The node, and whose rows it takes."""
        return "\n".join([show_node(self.node), *(f"  the rows of step {n}" for n in self.inputs)])


@dataclass(frozen=True, slots=True)
class Answer:
    """How a plan is answered: the rules that fired, what they made of it, and the steps."""

    logical: Node
    optimised: Node
    fired: tuple[str, ...]
    steps: tuple[ServerStep | PolarsStep, ...]

    @property
    def first_reads(self) -> "tuple[ServerStep, ...]":
        """The statements that need no other step; there is one at least."""
        return tuple(step for step in self.steps if isinstance(step, ServerStep) and not step.inputs)

    @property
    def counted_rules(self) -> tuple[tuple[str, int], ...]:
        """The rules in the order in which they first fired, and how often they did."""
        return tuple((name, self.fired.count(name)) for name in dict.fromkeys(self.fired))


def answer_to(plan: Node) -> Answer:
    """How a plan will be answered; nothing is sent.

    >>> from djflow.model.table import Heading
    >>> from djflow.planner.nodes import Empty
    >>> [step.place for step in answer_to(Empty(Heading(()))).steps]
    ['Server (psycopg)']
    """
    if not plan.has_local:
        compiled = compile_plan(plan)
        return Answer(plan, compiled.optimised, compiled.fired, (ServerStep(1, (), compiled),))
    rewritten = optimise(plan)
    return Answer(plan, rewritten.plan, rewritten.fired, tuple(_steps(split(rewritten.plan), 1)))


def _steps(stage: Stage, number: int) -> "Iterator[ServerStep | PolarsStep]":
    """The steps of the stages below, then that of the stage; numbered from `number`."""
    inputs: list[int] = []
    for each in stage.inputs:
        for step in _steps(each, number):
            yield step
            number += 1
        inputs.append(number - 1)
    yield _step(stage, number, tuple(inputs))


def _step(stage: Stage, number: int, inputs: tuple[int, ...]) -> ServerStep | PolarsStep:
    if stage.where == "polars":
        return PolarsStep(number, inputs, stage.plan)
    if not inputs:
        return ServerStep(number, inputs, compile_plan(stage.plan))
    # The rules would drop the frames, which are empty until the earlier steps have run.
    statement = lower_rows(stage.plan)
    return ServerStep(number, inputs, Compiled(stage.plan, stage.plan, (), statement, is_small=False))
