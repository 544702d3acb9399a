def test_every_session_is_judged_by_every_criterion(pipeline):
    assert len(pipeline.Performance()) == len(pipeline.Session()) * len(pipeline.Criterion())


def test_trials_are_those_of_the_file(pipeline):
    key = {"animal": "m1", "session": 1}
    stored = (pipeline.Trials.Trial & key).to_polars()
    assert stored.select("trial", "correct", "latency").rows() == pipeline.read_trials(key).rows()


def test_who_is_strict_waits_longer(pipeline):
    first = {(row["animal"], row["criterion"]): row["first"] for row in pipeline.learning().to_dicts()}
    assert all(first[animal, "lenient"] <= first[animal, "strict"] for animal, _ in first)
