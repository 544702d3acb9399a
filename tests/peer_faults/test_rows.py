"""Queries give the rows that they ask for, in one order; one law for each fault of other engines."""

from typing import Any

import polars as pl


def test_a_backslash_in_a_restriction_is_a_backslash(animal: Any) -> None:
    names = ["a\\b", "a\\\\b", "it's", 'say "x"', "100%", "a_b", "é\n\t", "$1 %s"]
    animal.insert([{"animal": 10 + n, "name": name} for n, name in enumerate(names)])
    for n, name in enumerate(names):
        for condition in ({"name": name}, [{"name": name}], pl.DataFrame({"name": [name]})):
            assert (animal & condition).to_arrays("animal").tolist() == [10 + n]


def test_every_fetch_method_gives_one_order(animal: Any, meal: Any) -> None:
    for relation in (
        meal,
        animal.aggr(meal, n="count(meal)", g="sum(grams)"),
        animal * meal,
        meal.proj("grams"),
    ):
        keys = relation.keys()
        names = relation.primary_key
        assert [{name: row[name] for name in names} for row in relation.to_dicts()] == keys
        assert [{name: row[name] for name in names} for row in relation] == keys
        assert relation.to_polars().select(names).to_dicts() == keys
        assert relation.to_arrow().select(names).to_pylist() == keys
        assert relation.to_pandas().reset_index()[names].to_dict("records") == keys
        assert relation.to_arrays(names[0], include_key=True)[0] == keys


def test_the_order_stays_when_rows_are_updated(animal: Any, meal: Any) -> None:
    relations = (animal, animal.aggr(meal, n="count(meal)"), animal * meal, animal.proj("weight"))
    before = [relation.keys() for relation in relations]
    for number in (0, 3):
        animal.update1({"animal": number, "name": "z", "length": 1.0})
    meal.update1({"animal": 1, "meal": 0, "grams": 9})
    for relation, keys in zip(relations, before, strict=True):
        names = relation.primary_key
        assert relation.keys() == keys
        assert [{name: row[name] for name in names} for row in relation.to_dicts()] == keys
        assert relation.to_polars().select(names).to_dicts() == keys
        assert relation.to_arrow().select(names).to_pylist() == keys
        assert relation.to_pandas().reset_index()[names].to_dict("records") == keys
        assert relation.to_arrays(names[0], include_key=True)[0] == keys


def test_a_renamed_attribute_can_be_renamed_again(animal: Any, meal: Any) -> None:
    twice = animal.proj(a="animal").proj(b="a")
    assert twice.primary_key == ["b"]
    assert twice.to_arrays("b").tolist() == list(range(6))
    assert len(twice * meal.proj(b="animal")) == 18


def test_a_path_into_json_compares_with_numbers(animal: Any) -> None:
    animal.insert([{"animal": 9, "name": "x", "meta": {"age": 7, "deep": {"x": 2.5}}}])
    animal.insert([{"animal": 10, "name": "y", "meta": {"age": 10, "deep": {"x": 1}}}])
    assert (animal & {"meta.age": 7}).to_arrays("animal").tolist() == [9]
    assert (animal & "meta->>'age' > 7").to_arrays("animal").tolist() == [10]
    assert (animal & {"meta.deep.x": 2.5}).to_arrays("animal").tolist() == [9]
