"""A pipeline as text in Mermaid's language, which GitHub and many editors draw."""

import re
from collections.abc import Mapping
from itertools import count
from typing import Final

from djflow.diagram.boxes import Box, Picture
from djflow.model.names import Tier

_CLASSES: Final = """\
    classDef manual fill:#90EE90,stroke:#006400
    classDef lookup fill:#D3D3D3,stroke:#696969
    classDef computed fill:#FFB6C1,stroke:#8B0000
    classDef imported fill:#ADD8E6,stroke:#00008B
    classDef part fill:#FFFFFF,stroke:#000000
    classDef collapsed fill:#808080,stroke:#404040"""
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.]+")
# Words with which Mermaid's own statements begin or end.
_RESERVED: Final = frozenset(
    {"call", "class", "classDef", "click", "default", "direction", "end", "flowchart", "graph", "href"}
    | {"linkStyle", "style", "subgraph"}
)


def mermaid(picture: Picture, direction: str = "LR") -> str:
    """A flowchart with the tables of each schema in a subgraph, and a box for the folded ones of one.

    `direction` is `"LR"`, left to right, or `"TB"`, top to bottom.

    A solid line is a foreign key in the primary key, a dotted line one outside of it.

    >>> from djflow.diagram.boxes import Link
    >>> from djflow.model.names import TableName
    >>> image, spots = (Box("lab", TableName("lab", name)) for name in ("image", "__spots"))
    >>> labels = {image: "Image", spots: "Spots"}
    >>> text = mermaid(Picture((image, spots), labels, (Link(image, spots),)))
    >>> print(text[text.index("    subgraph") :])
        subgraph lab
            Image[Image]:::manual
            Spots([Spots]):::computed
        end
    <BLANKLINE>
        Image --> Spots
    """
    names = _identifiers(picture)
    groups = [_group(schema, boxes, picture.labels, names) for schema, boxes in picture.by_schema.items()]
    arrows = {True: "-->", False: "-.->"}
    links = [f"    {names[a]} {arrows[in_key]} {names[b]}" for (a, b), in_key in picture.neighbours.items()]
    blocks = [[f"flowchart {direction}", _CLASSES], *groups, links]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _group(
    schema: str, boxes: tuple[Box, ...], labels: Mapping[Box, str], names: Mapping[Box | str, str]
) -> list[str]:
    folded = [f'    {names[b]}[["{_escaped(labels[b])}"]]:::collapsed' for b in boxes if b.table is None]
    tables = [f"        {_node(names[b], labels[b], b.table.tier)}" for b in boxes if b.table is not None]
    if not tables:
        return folded
    title = names[schema] if names[schema] == schema else f'{names[schema]}["{_escaped(schema)}"]'
    return [f"    subgraph {title}", *tables, "    end", *folded]


def _node(name: str, label: str, tier: Tier) -> str:
    shown = label if _PLAIN.fullmatch(label) and label not in _RESERVED else f'"{_escaped(label)}"'
    left, right = ("([", "])") if tier.is_auto_populated else ("[", "]")
    return f"{name}{left}{shown}{right}:::{tier}"


def _identifiers(picture: Picture) -> dict[Box | str, str]:
    """A name of its own for each box and each schema, from characters that Mermaid takes."""
    names: dict[Box | str, str] = {}
    taken: set[str] = set(_RESERVED)
    for schema in picture.by_schema:
        names[schema] = _free(schema, taken)
    for box in picture.boxes:
        label = picture.labels[box]
        wishes = (label, f"{box.schema}_{label}") if box.table else (f"{box.schema}_tables",)
        names[box] = _free(next((w for w in wishes if _plain(w) not in taken), wishes[-1]), taken)
    return names


def _free(wish: str, taken: set[str]) -> str:
    name = _plain(wish)
    if name in taken:
        name = next(f"{name}_{n}" for n in count(2) if f"{name}_{n}" not in taken)
    taken.add(name)
    return name


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", text)


def _escaped(text: str) -> str:
    return text.replace("&", "#amp;").replace('"', "#quot;").replace("<", "#lt;").replace("\n", " ")
