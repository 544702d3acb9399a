"""A schema as the text of a Python module that declares the same tables."""

import keyword
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import indent
from typing import Final

from djflow.definition.class_names import class_names, is_declarable
from djflow.definition.module_order import declaration_order
from djflow.definition.module_tables import (
    Declaration,
    Parents,
    declaration,
    has_job_metadata,
    has_own_key,
)
from djflow.errors import InvalidArgumentError
from djflow.model.names import TableName
from djflow.model.table import Table

MARK: Final = "# Written by djflow from the database"
# What the module's classes and the module itself have under these names.
_RESERVED: Final = frozenset(
    {"dj", "schema", "definition", "contents", "master", "job_metadata", "allow_new_key"}
)


@dataclass(frozen=True, slots=True)
class Written:
    """What a module is written from.

    `tables` are the schema's own and, of other schemas, at least those that they refer to. `remarks` say
    what the tables have beyond their model, `contents` are the rows of lookup tables as Python
    expressions, and `modules` names the Python modules that declare other schemas. `job_metadata` tells
    whether tables that `make` fills get the hidden columns of bookkeeping unless they say otherwise.
    """

    schema: str
    tables: Sequence[Table]
    job_metadata: bool = False
    remarks: Mapping[TableName, Sequence[str]] = field(default_factory=dict)
    contents: Mapping[TableName, Sequence[str]] = field(default_factory=dict)
    modules: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for module in self.modules.values():
            if not isinstance(module, str) or not all(piece.isidentifier() for piece in module.split(".")):
                raise InvalidArgumentError(
                    f"{module!r} is no name of a Python module. Write, say, 'lab.rigs'."
                )


def module_source(written: Written) -> str:
    """The module's text: classes in the order of their foreign keys, parts inside their masters.

    What no definition can say becomes a comment, and so does a table that no class can declare.

    >>> from djflow.model.table import Attribute
    >>> from djflow.model.types import CoreType
    >>> key = Attribute("species", CoreType("varchar", (20,)), CoreType("varchar", (20,)), in_key=True)
    >>> text = module_source(Written("lab", [Table(TableName("lab", "#species"), "All", (key,))]))
    >>> text.splitlines()[6:8]
    ['@schema', 'class Species(dj.Lookup):']
    """
    own = [table for table in written.tables if table.name.schema == written.schema]
    others = _other_schemas(own, written.schema)
    names = _Names.of(written.tables, written.schema, others)
    parents: dict[TableName, Table] = {t.name: t for t in written.tables if t.name.schema in others}
    blocks = [_head(written, others)]
    for unit in declaration_order(own):
        # Within a master, the class has not got its other name yet.
        references = {**names.references, **{table.name: table.name.class_path for table in unit}}
        declarations = []
        for table in unit:
            found = declaration(table, Parents(references, parents))
            declarations.append(found)
            if found.declared is not None:
                parents[table.name] = found.declared
        blocks.append(_unit(declarations, written, names))
    return "\n\n\n".join(blocks) + "\n"


# names


def _other_schemas(own: Iterable[Table], schema: str) -> Mapping[str, str]:
    """The variable for each other schema that the tables refer to."""
    schemas = sorted({fk.parent.schema for table in own for fk in table.foreign_keys} - {schema})
    variables: dict[str, str] = {}
    for name in schemas:
        variable = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "other"
        variable = variable if variable[0].isalpha() else f"schema_{variable}"
        while variable in _RESERVED or keyword.iskeyword(variable) or variable in variables.values():
            variable += "_"
        variables[name] = variable
    return variables


@dataclass(frozen=True, slots=True)
class _Names:
    """What each table is called: its class where it is declared, and the reference for the others."""

    classes: Mapping[TableName, str]
    references: Mapping[TableName, str]

    @classmethod
    def of(cls, tables: Sequence[Table], schema: str, others: Mapping[str, str]) -> "_Names":
        paths = class_names(table.name for table in tables if table.name.schema == schema)
        references = _own_references(paths)
        for other, variable in others.items():
            names = class_names(table.name for table in tables if table.name.schema == other)
            references |= {name: f"{variable}.{path}" for name, path in names.items()}
        classes = {
            name: (name.class_path if is_declarable(name) else path).rpartition(".")[2]
            for name, path in paths.items()
        }
        return cls(classes, references)


def _own_references(paths: Mapping[TableName, str]) -> dict[TableName, str]:
    """The references to a schema's tables; a class whose name means more than one gets another name."""
    masters = [name for name, path in paths.items() if "." not in path]
    parts = {path.rpartition(".")[2] for path in paths.values() if "." in path}
    namesakes = Counter(name.class_path for name in masters)
    references: dict[TableName, str] = {}
    for name in masters:
        path = paths[name]
        if namesakes[name.class_path] > 1 and path == name.class_path:
            path = f"{path}_1"
        elif path in parts:  # inside its master, the name is the part's
            path = f"{path}_table"
        references[name] = path
    for name, path in paths.items():
        if name not in references and name.master is not None:
            references[name] = references[name.master] + path.removeprefix(paths[name.master])
    return references


# text


def _head(written: Written, others: Mapping[str, str]) -> str:
    mark = f"{MARK}: importing this module declares the tables of schema {quoted(written.schema)}."
    imports = [
        f"import {written.modules[schema]} as {variable}"
        for schema, variable in others.items()
        if schema in written.modules
    ]
    virtual = [
        f"{variable} = dj.virtual_schema({quoted(schema)})"
        for schema, variable in others.items()
        if schema not in written.modules
    ]
    lines = [
        mark,
        "import djflow as dj",
        *imports,
        "",
        f"schema = dj.Schema({quoted(written.schema)})",
        *virtual,
    ]
    return "\n".join(lines)


def _unit(declarations: Sequence[Declaration], written: Written, names: _Names) -> str:
    """The class of a master with those of its parts."""
    master, *parts = declarations
    name = master.table.name
    pieces = [_class(master, written, names)]
    for part in parts:
        text = _class(part, written, names)
        if part.declared is None and master.declared is not None:
            text = _commented(text)
        pieces.append(indent("\n".join([*_remarks(part, written), text]), "    "))
    text = "\n\n".join(pieces)
    if master.declared is None:
        return "\n".join([*_remarks(master, written), _commented(text)])
    lines = [*_remarks(master, written), "@schema", text]
    if names.references[name] != names.classes[name]:
        lines += ["", "", f"{names.references[name]} = {names.classes[name]}"]
    return "\n".join(lines)


def _class(found: Declaration, written: Written, names: _Names) -> str:
    table = found.table
    body = ['definition = """', *_escaped(found.definition).splitlines(), '"""', *_options(table, written)]
    if rows := written.contents.get(table.name):
        body += ["contents = [", *(f"    {row}," for row in rows), "]"]
    head = f"class {names.classes[table.name]}(dj.{table.tier.value.capitalize()}):"
    return "\n".join([head, indent("\n".join(body), "    ")])


def _options(table: Table, written: Written) -> Iterator[str]:
    if not table.tier.is_auto_populated:
        return
    if has_job_metadata(table) or written.job_metadata:
        yield f"job_metadata = {has_job_metadata(table)}"
    if has_own_key(table):
        yield "allow_new_key = True"


def _remarks(found: Declaration, written: Written) -> Iterator[str]:
    remarks = [*found.remarks, *written.remarks.get(found.table.name, ())]
    if remarks:
        verb = "has what is not declared here" if found.declared else "cannot be declared"
        yield f"# {_one_line(found.table.name.table)} {verb}:"
        yield from (f"#   {_one_line(remark)}" for remark in remarks)


def _commented(text: str) -> str:
    return "\n".join(f"# {line}".rstrip() for line in text.splitlines())


def quoted(text: str) -> str:
    r"""A Python string between double quotes.

    >>> print(quoted('the "odd" one\n'))
    "the \"odd\" one\n"
    """
    return '"' + _one_line(text).replace('"', '\\"') + '"'


def _one_line(text: str) -> str:
    return _escaped(text).replace("\n", "\\n")


def _escaped(text: str) -> str:
    """Text for a Python string: what would end it, or be invisible, is escaped."""
    text = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return "".join(c if c == "\n" or c.isprintable() else c.encode("unicode_escape").decode() for c in text)
