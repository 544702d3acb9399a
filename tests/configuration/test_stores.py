from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from djflow.configuration import Settings, changed
from djflow.errors import ConfigError

HOME = Path("/home/ann/djflow")


def stores(**by_name: object) -> Settings:
    return changed(Settings(home=HOME), {"stores": by_name})


def test_the_local_store_stays_within_reach_when_others_are_configured() -> None:
    settings = stores(main={"protocol": "file", "location": "/data"})
    assert settings.stores.named("local").location == "/home/ann/djflow/store"
    with pytest.raises(ConfigError, match=r"set 'stores.default' to one of \['local', 'main'\]"):
        settings.stores.named()


def test_the_local_store_follows_home() -> None:
    moved = changed(Settings(home=HOME), {"home": "/srv/lab"})
    assert moved.stores.named().location == "/srv/lab/store"
    assert changed(stores(), {"home": "/srv/lab"}).stores == moved.stores


def test_a_store_may_be_put_together_piece_by_piece() -> None:
    settings = changed(Settings(home=HOME), {"stores.default": "main"})
    settings = changed(settings, {"stores.main.protocol": "s3"})
    settings = changed(settings, {"stores.main.bucket": "lab", "stores.main.location": "rig"})
    assert settings.stores.named().options == {"bucket": "lab"}


@pytest.mark.parametrize(
    ("store", "missing"),
    [
        ({"location": "/data"}, "stores.main.protocol"),
        ({"protocol": "file"}, "stores.main.location"),
        ({"protocol": "s3", "location": "x"}, "stores.main.bucket"),
        ({"protocol": "azure", "location": "x"}, "stores.main.container"),
    ],
)
def test_an_incomplete_store_is_told_when_it_is_used(store: dict[str, object], missing: str) -> None:
    settings = stores(main=store)
    with pytest.raises(ConfigError, match=missing) as caught:
        settings.stores.named("main")
    assert caught.value.key == missing


@pytest.mark.parametrize(
    "prefixes",
    [
        {"hash_prefix": "managed", "schema_prefix": "managed/arrays"},
        {"hash_prefix": "same", "schema_prefix": "same"},
        {"filepath_prefix": "_hash/raw"},
    ],
)
def test_sections_of_a_store_must_not_nest(prefixes: dict[str, object]) -> None:
    settings = stores(main={"protocol": "file", "location": "/data"} | prefixes)
    with pytest.raises(ConfigError, match="lies inside"):
        settings.stores.named("main")


def test_sections_may_share_the_beginning_of_a_name() -> None:
    settings = stores(
        main={"protocol": "file", "location": "/data", "hash_prefix": "a", "schema_prefix": "ab"}
    )
    assert settings.stores.named("main").schema_prefix == "ab"


def test_a_misspelt_store_is_told_with_the_closest_name() -> None:
    settings = stores(archive={"protocol": "file", "location": "/data"})
    with pytest.raises(ConfigError, match="Did you mean 'archive'"):
        settings.stores.named("achive")


def test_a_prefix_that_leaves_the_store_is_refused() -> None:
    with pytest.raises(ConfigError, match="a relative path inside the store"):
        stores(main={"hash_prefix": "../other"})


@pytest.mark.parametrize("name", ["default", "", "1st", "a/b"])
def test_a_store_cannot_have_just_any_name(name: str) -> None:
    with pytest.raises(ConfigError):
        stores(**{name: {"protocol": "file", "location": "/data"}})


json_values = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["bucket", "endpoint", "extra", "token", "client_key"]), json_values))
def test_options_come_back_as_they_were_given(options: dict[str, object]) -> None:
    settings = stores(main={"protocol": "plugin"} | options)
    revealed = settings.stores.by_name["main"].revealed()
    assert {name: revealed[name] for name in options} == options
    assert hash(settings) == hash(stores(main={"protocol": "plugin"} | options))
