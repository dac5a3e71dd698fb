"""User data that still names the lost region reads the lost region: none of it may stay, nothing else may change."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotlight.survey.translate import USER_DATA_BYTES_MAX, Dictionary, Endpoint, translate, translate_user_data

REGISTRY = Endpoint(
    "registry",
    "registry.cluster-abc.us-east-1.rds.amazonaws.com",
    "registry.cluster-ro-abc.us-east-1.rds.amazonaws.com",
    5432,
)
WORDS = Dictionary(
    primary="us-east-1",
    standby="us-west-2",
    buckets={"models": "models-copy", "models-eval": "eval-copy", "my.models": "dotted-copy"},
    endpoints=(REGISTRY,),
    clusters={"registry": "registry-standby"},
)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("s3://models/checkpoints/", "s3://models-copy/checkpoints/"),
        ("arn:aws:s3:::models/*", "arn:aws:s3:::models-copy/*"),
        ("BUCKET='models'", "BUCKET='models-copy'"),
        ("https://models.s3.us-east-1.amazonaws.com/a", "https://models-copy.s3.us-west-2.amazonaws.com/a"),
        ("s3://models-eval/a", "s3://eval-copy/a"),
        ("s3://my.models/a", "s3://dotted-copy/a"),
        ("It is in models.", "It is in models-copy."),
        ("--region us-east-1", "--region us-west-2"),
        ("arn:aws:ssm:us-east-1:1:parameter/a", "arn:aws:ssm:us-west-2:1:parameter/a"),
        ("arn:aws:rds:us-east-1:1:cluster:registry", "arn:aws:rds:us-west-2:1:cluster:registry-standby"),
        (REGISTRY.host, "{{pilotlight:database:registry:endpoint}}"),
        (REGISTRY.reader, "{{pilotlight:database:registry:reader}}"),
        (
            f"postgresql://u@{REGISTRY.host}:5432/models_db",
            "postgresql://u@{{pilotlight:database:registry:endpoint}}:{{pilotlight:database:registry:port}}/models_db",
        ),
    ],
)
def test_what_names_the_primary_names_the_standby_afterwards(said: str, meant: str) -> None:
    assert translate(said, WORDS) == meant


@pytest.mark.parametrize(
    "text",
    [
        "models.example.internal",
        "mymodels",
        "models_db",
        "models-evaluation",
        "all.models.are.wrong",
        "us-east-1a",
        "us-east-10",
        "logs-us-east-1-archive",
        "cluster registry and table registry",
        "us-west-2",
    ],
)
def test_longer_words_that_hold_an_identifier_stay(text: str) -> None:
    assert translate(text, WORDS) == text


def test_a_host_name_inside_a_longer_one_is_another_host() -> None:
    words = Dictionary("us-east-1", "us-west-2", {}, (Endpoint("registry", "db.internal", "", 5432),))
    for text in ("mydb.internal", "db.internal.example", "old-db.internal:5432", "a.db.internal"):
        assert translate(text, words) == text
    assert translate("db.internal", words) == "{{pilotlight:database:registry:endpoint}}"


def test_an_address_is_a_database_only_together_with_its_port() -> None:
    words = Dictionary("us-east-1", "us-west-2", {}, (Endpoint("registry", "127.0.0.1", "127.0.0.1", 4711),))
    marks = "{{pilotlight:database:registry:endpoint}}:{{pilotlight:database:registry:port}}"
    assert translate("DATABASE=127.0.0.1:4711 NO_PROXY=127.0.0.1", words) == f"DATABASE={marks} NO_PROXY=127.0.0.1"
    assert translate("127.0.0.1:47110", words) == "127.0.0.1:47110"


def test_what_was_translated_is_not_translated_again() -> None:
    words = Dictionary("us-east-1", "us-west-2", {"a-bucket": "copy-of-us-east-1", "copy-of-us-east-1": "wrong"})
    assert translate("s3://a-bucket/x in us-east-1", words) == "s3://copy-of-us-east-1/x in us-west-2"


@given(st.text(alphabet="abc-._/:'= \n", max_size=80))
def test_text_without_identifiers_comes_back_as_it_was(text: str) -> None:
    assert translate(text, WORDS) == text


def test_user_data_is_translated_inside_its_base64() -> None:
    encoded = base64.b64encode(b"#!/bin/bash\nREGION=us-east-1\n").decode()
    assert base64.b64decode(translate_user_data(encoded, WORDS)) == b"#!/bin/bash\nREGION=us-west-2\n"
    assert translate_user_data("", WORDS) == ""


def test_user_data_that_cannot_be_read_is_refused_and_not_copied_as_it_is() -> None:
    with pytest.raises(ValueError, match="not plain text"):
        translate_user_data(base64.b64encode(b"\x1f\x8b\x08\x00\xff").decode(), WORDS)


def test_user_data_that_grows_too_long_is_refused_before_the_day_it_is_needed() -> None:
    long = base64.b64encode(b"s3://models " * (USER_DATA_BYTES_MAX // 12)).decode()
    with pytest.raises(ValueError, match=str(USER_DATA_BYTES_MAX)):
        translate_user_data(long, WORDS)
