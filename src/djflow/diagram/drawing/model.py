"""A picture before anything is placed: groups of nodes, and lines between them."""

from dataclasses import dataclass

from djflow.model.names import Tier


@dataclass(frozen=True, slots=True)
class Gauge:
    """How far a table is: words below its name, and the shares of its keys that are made and that failed.

    `made` is None for a table that nothing is to be made for.
    """

    words: tuple[str, ...]
    made: float | None = None
    failed: float = 0.0


@dataclass(frozen=True, slots=True)
class Node:
    """A table, or, without a tier, the folded tables of a schema. Sizes are in points."""

    name: str
    label: str
    tier: Tier | None
    width: float
    height: float
    is_underlined: bool = False
    tooltip: str = ""
    gauge: Gauge | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A foreign key: `parent` and `child` are names of nodes."""

    parent: str
    child: str
    is_dashed: bool = False
    is_thick: bool = False
    is_renamed: bool = False
    tooltip: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """The nodes of a schema; without a title no frame is drawn around them."""

    name: str
    title: str
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    """All that a picture shows. `direction` is `"LR"`, left to right, or `"TB"`, top to bottom."""

    groups: tuple[Group, ...] = ()
    lines: tuple[Line, ...] = ()
    direction: str = "LR"

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes of all groups."""
        return tuple(node for group in self.groups for node in group.nodes)
