"""What they did: trials from files, and how well they went.

This module can be part of any project. It does not know where sessions are declared and where files lie:
`activate` takes both from the project's linking module.
"""

from types import SimpleNamespace

import djflow as dj

schema = dj.Schema()
linked = SimpleNamespace()  # what the project offers


def activate(schema_name, linking_module):
    """Make the tables in a schema.

    `linking_module` has a table `Session` and a function `read_trials(key)`, which gives a frame for the key
    of a session, with columns trial (int), correct (bool) and latency (seconds).
    """
    linked.Session = linking_module.Session
    linked.read_trials = linking_module.read_trials
    schema.activate(schema_name)


@schema
class Trials(dj.Imported):
    definition = """
    # Trials of a session
    -> linked.Session
    ---
    duration : float64         # seconds, from the first trial to the last
    """

    class Trial(dj.Part):
        definition = """
        -> master
        trial : int16
        ---
        correct : bool         # whether the animal found the reward at once
        latency : float64      # seconds
        """

    def make(self, key):
        trials = linked.read_trials(key)
        self.insert1({**key, "duration": trials["latency"].sum()})
        self.Trial.insert({**key, **trial} for trial in trials.iter_rows(named=True))


@schema
class Criterion(dj.Lookup):
    definition = """
    criterion : varchar(8)
    ---
    least : float64            # fraction of correct trials that counts as learnt
    """
    contents = [("lenient", 0.6), ("strict", 0.8)]


@schema
class Performance(dj.Computed):
    definition = """
    # Whether a session meets a criterion
    -> Trials
    -> Criterion
    ---
    correct : float64          # fraction of trials
    learnt : bool
    """

    def make(self, key):
        outcomes = (Trials.Trial & key).to_arrays("correct")
        least = (Criterion & key).fetch1("least")
        correct = outcomes.mean()
        self.insert1({**key, "correct": correct, "learnt": correct >= least})
