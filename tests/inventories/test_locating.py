"""An inventory that proves nothing and is taken for one that does calls a bucket equal that nobody has looked at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pilotlight.inventories.fetching import fetch
from pilotlight.inventories.locating import newest
from pilotlight.inventories.manifest import Unusable, read
from pilotlight.runtime.aws.client import refused
from pilotlight.runtime.errors import InventoryUnusable
from support.inventory_files import FIELDS, Row, configuration, write

REGION, BUCKET, LISTS = "us-east-1", "corpus", "lists"
AT = 1_790_000_000.0
DAY = 86_400.0
ROWS = [Row(f"corpus/{number}", f"v{number}", AT - DAY) for number in range(10)]


class Lists:
    """An AwsClient of one bucket of inventories, and of another one's configurations."""

    def __init__(self, *configurations: dict[str, Any]) -> None:
        self.configurations, self.objects = list(configurations), dict[str, bytes]()
        self.read = list[str]()

    def put(self, key: str, body: bytes) -> None:
        self.objects[key] = body

    def call(self, service: str, operation: str, region: str, **asked: Any) -> dict[str, Any]:
        assert region == REGION
        if operation == "list_bucket_inventory_configurations":
            assert asked["Bucket"] == BUCKET
            number = int(asked.get("ContinuationToken", 0))
            more = {"IsTruncated": True, "NextContinuationToken": str(number + 1)}
            found = self.configurations[number : number + 1]
            return {"InventoryConfigurationList": found} | (more if number + 1 < len(self.configurations) else {})
        assert (operation, asked["Bucket"]) == ("get_object", LISTS)
        if asked["Key"] not in self.objects:
            raise refused(service, operation, region, "NoSuchKey", "there is none")
        self.read.append(asked["Key"])
        start, end = asked.get("Range", "bytes=0-999999999").removeprefix("bytes=").split("-")
        return {"Body": self.objects[asked["Key"]][int(start) : int(end) + 1]}

    def pages(self, service: str, operation: str, region: str, **asked: Any) -> Iterator[dict[str, Any]]:
        assert operation == "list_objects_v2"
        below = {key: body for key, body in self.objects.items() if key.startswith(asked["Prefix"])}
        if "Delimiter" in asked:
            folders = {asked["Prefix"] + key.removeprefix(asked["Prefix"]).partition("/")[0] + "/" for key in below}
            yield {"CommonPrefixes": [{"Prefix": folder} for folder in sorted(folders)]}
        else:
            yield {"Contents": [{"Key": key, "Size": len(body)} for key, body in sorted(below.items())]}


def lists(*ages_days: float, **changes: Any) -> Lists:
    client = Lists(configuration("daily", LISTS, **changes))
    for age in ages_days:
        write(client.put, BUCKET, "daily", LISTS, AT - age * DAY, [ROWS])
    return client


def why(client: Lists, prefix: str = "") -> str:
    with pytest.raises(InventoryUnusable) as problem:
        newest(client, REGION, BUCKET, prefix)
    assert BUCKET in problem.value.message and REGION in problem.value.message
    return str(problem.value.facts["reason"])


def test_the_newest_one_is_taken_with_its_own_time() -> None:
    found = newest(lists(2, 0, 1), REGION, BUCKET, "")
    assert (found.created_at, found.passed_over) == (AT, ())
    assert found.manifest.startswith("s3://lists/inventories/corpus/daily/2026-09-21T")
    assert found.symlink.startswith("inventories/corpus/daily/hive/dt=2026-09-21-")


def test_one_that_is_being_written_is_passed_over_by_name() -> None:
    client = lists(0, 1)
    del client.objects[max(key for key in client.objects if key.endswith("manifest.json"))]
    found = newest(client, REGION, BUCKET, "")
    assert found.created_at == AT - DAY
    assert "it has no manifest.json" in found.passed_over[0]


@pytest.mark.parametrize("torn", [True, False])
def test_one_whose_files_are_not_all_there_is_passed_over_by_name(torn: bool) -> None:
    client = lists(0)
    file = next(key for key in client.objects if key.endswith(".parquet"))
    client.objects[file] = client.objects[file][:-1]
    if not torn:
        del client.objects[file]
    assert "1 of its 1 files are gone or torn" in why(client)


def test_a_life_cycle_that_deletes_files_leaves_the_newest_ones() -> None:
    found = newest(lists(0, *range(2, 30)), REGION, BUCKET, "")
    assert found.created_at == AT


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Format": "CSV"}, "it is written as CSV, and only Parquet is read"),
        ({"Format": "ORC"}, "it is written as ORC"),
        ({"IncludedObjectVersions": "Current"}, "include all"),
        ({"IsEnabled": False}, "it is switched off"),
        ({"prefix": "corpus/a/"}, "it lists corpus/a/ alone, and the asset is corpus/"),
    ],
)
def test_a_configuration_that_would_prove_nothing_is_told(changes: dict[str, Any], words: str) -> None:
    assert words in why(lists(0, **changes), "corpus/")


def test_a_bucket_without_any_configuration_or_list_is_told() -> None:
    assert why(Lists()) == "no inventory of it is configured"
    assert "S3 has written none yet" in why(lists())


def test_a_wider_filter_than_the_asset_will_do() -> None:
    assert newest(lists(0, prefix="corp"), REGION, BUCKET, "corpus/").files


def test_of_several_configurations_the_newest_that_proves_something_is_taken() -> None:
    client = lists(0)
    client.configurations += [configuration("weekly", LISTS), configuration("csv", LISTS, Format="CSV")]
    write(client.put, BUCKET, "weekly", LISTS, AT + DAY, [ROWS])
    found = newest(client, REGION, BUCKET, "")
    assert "/weekly/" in found.manifest
    assert found.passed_over == ("csv: it is written as CSV, and only Parquet is read",)


@pytest.mark.parametrize("field", ["size", "e_tag", "last_modified_date", "version_id", "is_delete_marker"])
def test_a_field_that_is_not_there_is_named(field: str) -> None:
    client = Lists(configuration("daily", LISTS))
    fields = [name for name in FIELDS if name != field]
    write(client.put, BUCKET, "daily", LISTS, AT, [ROWS], fields=fields)
    assert f"it lacks the fields {field}" in why(client)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"{", "cannot be read"),
        (b"[]", "cannot be read"),
        (b'{"sourceBucket": "corpus"}', "cannot be read"),
        (b'{"sourceBucket": "b", "fileFormat": "Parquet", "fileSchema": "", "creationTimestamp": "1", "files": []}',
         "another bucket, b"),
    ],
)  # fmt: skip
def test_a_manifest_that_is_none_is_told(text: bytes, words: str) -> None:
    with pytest.raises(Unusable, match=words):
        read(text, BUCKET, "")
    with pytest.raises(Unusable, match=r"manifest\.checksum"):
        read(text, BUCKET, "0" * 32)


def test_both_spellings_of_a_schema_are_read() -> None:
    """S3 writes (STRING) and TIMESTAMP(MILLIS,true) where its guide shows (UTF8) and TIMESTAMP_MILLIS."""
    client = lists(0)
    key = next(key for key in client.objects if key.endswith("manifest.json"))
    text = (
        client.objects[key].replace(b"(UTF8)", b"(STRING)").replace(b"(TIMESTAMP_MILLIS)", b"(TIMESTAMP(MILLIS,true))")
    )
    assert read(text, BUCKET, "")[0] == AT


def test_a_file_that_is_another_than_the_manifest_names_is_not_compared(tmp_path: Any) -> None:
    client = lists(0)
    found = newest(client, REGION, BUCKET, "")
    file = found.files[0].key
    client.objects[file] = client.objects[file][:-1] + b"x"
    with pytest.raises(InventoryUnusable, match="MD5"):
        fetch(client, found, tmp_path, lambda text: None)
    assert list(tmp_path.iterdir()) == []
