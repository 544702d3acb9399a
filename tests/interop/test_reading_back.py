"""What djflow wrote into a database that DataJoint made is read by DataJoint itself."""

from typing import Any

import numpy as np
from tests.interop.peer import Peer


def reads(dj: Any) -> dict[str, Any]:
    import numpy as np

    lab = dj.VirtualModule("lab", "lab")  # nothing is declared twice
    session = (lab.Session & "session_idx = 9").fetch1()
    subject = (lab.Subject & "subject_id = 7").fetch1()
    made = (lab.Ana & "session_idx = 2").to_dicts(order_by="species")
    return {
        "trace": np.asarray(session["trace"]).tolist(),
        "trace_type": str(np.asarray(session["trace"]).dtype),
        "arr": np.asarray(session["arr"]).tolist(),
        "bigb": {"q": session["bigb"]["q"].tolist(), "name": session["bigb"]["name"]},
        "mate": session["mate_id"],
        "subject": {name: str(value) for name, value in subject.items() if name not in ("meta", "raw")},
        "meta": subject["meta"],
        "raw": bytes(subject["raw"]).hex(),
        "made": [{"y": row["y"], "a": row["z"]["a"].tolist(), "k": row["z"]["k"]} for row in made],
        "parts": len(lab.Ana.P & "session_idx = 2"),
        "restricted": len(lab.Subject & {"sex": "F"}),
        "joined": len(lab.Session * lab.Session.Trial),
    }


def write(lab: Any) -> None:
    lab.Subject.insert1(
        {
            "subject_id": 7,
            "species": "rat",
            "name": "it's \\ %é",
            "sex": "M",
            "dob": "2024-02-29",
            "weight": "12.125",
            "meta": {"k": [1, None]},
            "ts": "2024-05-06 07:08:09.123456",
            "f": 0.5,
            "b": False,
            "raw": b"\x00\xff",
        }
    )
    lab.Subject().update1({"subject_id": 7, "sex": "F"})
    lab.Session.insert1(
        {
            "subject_id": 0,
            "session_idx": 9,
            "session_date": "2024-03-01",
            "mate_id": 2,
            "trace": np.arange(6, dtype=np.int16).reshape(2, 3),
            "arr": np.zeros(2),
            "bigb": {"q": np.eye(2), "name": "é"},
        }
    )
    lab.Session().update1({"subject_id": 0, "session_idx": 9, "arr": np.linspace(0, 1, 5)})
    lab.Ana.populate()


def test_datajoint_reads_what_djflow_wrote(lab: Any, lab_peer: Peer) -> None:
    write(lab)
    found = lab_peer(reads)
    assert found["trace"] == [[0, 1, 2], [3, 4, 5]]
    assert found["trace_type"] == "int16"
    assert found["arr"] == np.linspace(0, 1, 5).tolist()
    assert found["bigb"] == {"q": [[1.0, 0.0], [0.0, 1.0]], "name": "é"}
    assert found["mate"] == 2
    assert found["subject"]["name"] == "it's \\ %é"
    assert found["subject"]["weight"] == "12.125"
    assert found["subject"]["ts"] == "2024-05-06 07:08:09.123456"
    assert found["subject"]["sex"] == "F"
    assert found["meta"] == {"k": [1, None]}
    assert found["raw"] == "00ff"
    keys = [{"subject_id": 0, "session_idx": 2, "species": species} for species in ("mouse", "rat")]
    assert found["made"] == [{"y": 2.0, "a": [0, 1, 2], "k": key} for key in keys]
    assert (found["parts"], found["restricted"], found["joined"]) == (6, 1, 4)
