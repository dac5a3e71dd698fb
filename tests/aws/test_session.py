"""Sessions with AWS: what they share, and what they may not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import botocore.loaders
import pytest

from pilotlight.runtime.aws.session import client, opened


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


def test_a_service_is_described_once_for_all_sessions_of_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment asks for clients by the dozen; each used to read megabytes of JSON anew."""
    opened().create_client("sqs", region_name="us-east-1")
    read: list[str] = []
    load = botocore.loaders.JSONFileLoader.load_file

    def counting(loader: object, path: str) -> object:
        read.append(path)
        return load(loader, path)

    monkeypatch.setattr(botocore.loaders.JSONFileLoader, "load_file", counting)
    opened().create_client("sqs", region_name="us-west-2")
    assert [path for path in read if "sqs" in path] == []


def test_sessions_do_not_share_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    first = opened().get_credentials().access_key
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAANOTHER")
    assert (first, opened().get_credentials().access_key) == ("AKIAEXAMPLE", "AKIAANOTHER")


def test_many_resources_at_once_get_one_client() -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: client("sns", "us-east-1"), range(16)))
    assert len({id(each) for each in found}) == 1
