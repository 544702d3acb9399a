"""What `explain()` returns: how a query will be, or was, answered."""

from dataclasses import dataclass, replace

from djflow.backend.session import Session
from djflow.engine import execute
from djflow.engine.compile import Compiled
from djflow.model.types import CodecType
from djflow.planner.explain import show_plan
from djflow.planner.nodes import Node, is_ordered
from djflow.relation.explanation.lines import cut_to_line
from djflow.relation.explanation.parameters import shown_parameters
from djflow.relation.explanation.steps import Answer, PolarsStep, ServerStep, answer_to


@dataclass(frozen=True, slots=True)
class Analysis:
    """PostgreSQL's own plan of one step, with times."""

    step: int
    text: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """The logical plan, the optimised plan with the rules that fired, the steps, and the local part.

    Prints as text; a notebook shows it as HTML.
    """

    answer: Answer
    analyses: tuple[Analysis, ...] = ()

    @property
    def compiled(self) -> Compiled:
        """What is sent first."""
        return self.answer.first_reads[0].compiled

    def analysed(self, session: Session) -> "Explanation":
        """The same with PostgreSQL's own plans of the statements that are sent first, run with times."""
        found = (
            Analysis(step.number, execute.analysed(session, step.compiled.statement))
            for step in self.answer.first_reads
        )
        return replace(self, analyses=tuple(found))

    def sections(self) -> tuple[tuple[str, str], ...]:
        """Titles and texts, in reading order."""
        answer = self.answer
        return (
            ("Logical plan", _plan(answer.logical)),
            (f"Optimised plan (rules: {_rules(answer)})", _plan(answer.optimised)),
            *((self.title(step), step_text(step)) for step in answer.steps),
            ("Local", self.local_part),
            *((self.analysis_title(analysis), analysis.text) for analysis in self.analyses),
        )

    def title(self, step: ServerStep | PolarsStep) -> str:
        """Where a step runs; with its number where there are several."""
        return step.place if len(self.answer.steps) == 1 else f"Step {step.number}: {step.place}"

    def analysis_title(self, analysis: Analysis) -> str:
        """Whose plan it is."""
        return "PostgreSQL" if len(self.answer.steps) == 1 else f"PostgreSQL, step {analysis.step}"

    @property
    def local_part(self) -> str:
        """What the client does with the rows that the last step gives."""
        heading = self.answer.logical.heading
        encoded = [a.name for a in heading if isinstance(a.type, CodecType)]
        decode = [f"decode {', '.join(encoded)}"] if encoded else []
        if not is_ordered(self.answer.logical) and heading.primary_key:
            return "\n".join(
                [f"sort by {', '.join(heading.primary_key)}, unless the rows arrive so", *decode]
            )
        return "\n".join(decode) or "nothing"

    def __str__(self) -> str:
        return "\n\n".join(f"{title}\n{_indented(text)}" for title, text in self.sections())

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from djflow.relation.explanation.page import page

        return page(self)


def explained(plan: Node) -> Explanation:
    """How a plan will be answered; nothing is sent."""
    return Explanation(answer_to(plan))


def step_text(step: ServerStep | PolarsStep) -> str:
    """What a step does: its SQL with the parameters below, or its node in Polars."""
    if isinstance(step, PolarsStep):
        return step.text
    statement = step.compiled.statement
    return "\n".join([statement.pretty, *(f"  {each}" for each in shown_parameters(statement, step.inputs))])


def _plan(plan: Node) -> str:
    return "\n".join(map(cut_to_line, show_plan(plan).split("\n")))


def _rules(answer: Answer) -> str:
    counted = (name if times == 1 else f"{name} x{times}" for name, times in answer.counted_rules)
    return ", ".join(counted) or "none"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.split("\n"))
