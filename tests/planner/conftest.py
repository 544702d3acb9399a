import pytest

from djflow.definition import bind, parse
from djflow.model.names import TableName
from djflow.model.table import Table
from djflow.model.types import CodecType, CoreType
from djflow.planner.nodes import Scan

DEFINITIONS = {
    "subject": """
        subject : int32
        ---
        sex : enum('M','F','U')
        born : date
        weight = null : decimal(8,3)
        """,
    "session": """
        -> subject
        session : int16
        ---
        duration : float32
        day : datetime
        notes = '' : varchar(40)
        meta = null : json
        trace : <blob>
        """,
    "trial": """
        -> session
        trial : int16
        ---
        rt = null : float64
        """,
    "rig": """
        rig : varchar(10)
        ---
        notes : varchar(40)
        """,
}


def tables() -> dict[str, Table]:
    known: dict[str, Table] = {}

    def dtype(_codec: CodecType) -> CoreType:
        return CoreType("bytes")

    for name, text in DEFINITIONS.items():
        known[name] = bind(parse(text), TableName("lab", name), resolve=known.__getitem__, codec_dtype=dtype)
    return known


@pytest.fixture
def lab() -> dict[str, Scan]:
    return {name: Scan(table) for name, table in tables().items()}
