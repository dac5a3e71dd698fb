"""What a user loses when one of these fails: a rehearsed journal in which half of a transaction stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pilotlight.local.dynamodb.transactions import Transactions
from support.data_cloud import WEST, client, running

TABLE = "journal"


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with running(tmp_path_factory.mktemp("cloud"), [Transactions()]) as cloud:
        dynamodb = client(cloud, "dynamodb", WEST)
        dynamodb.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "run", "KeyType": "HASH"}, {"AttributeName": "line", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in ("run", "line")],
        )
        yield dynamodb


def key(line: str, run: str = "a") -> dict[str, Any]:
    return {"run": {"S": run}, "line": {"S": line}}


def put(line: str, said: str, run: str = "a", **more: Any) -> dict[str, Any]:
    return {"Put": {"TableName": TABLE, "Item": key(line, run) | {"said": {"S": said}}, **more}}


def items(table: Any) -> dict[tuple[str, str], str]:
    found = table.scan(TableName=TABLE, ConsistentRead=True)["Items"]
    return {(each["run"]["S"], each["line"]["S"]): each["said"]["S"] for each in found}


def test_what_a_transaction_began_is_taken_back_whole(table: Any) -> None:
    """A line put, one changed, one deleted, one of a run that had none; and the condition at the end does not hold."""
    table.transact_write_items(TransactItems=[put("1", "proven"), put("2", "intended")])
    before = items(table)
    change = {"UpdateExpression": "SET said = :said", "ExpressionAttributeValues": {":said": {"S": "late"}}}
    with pytest.raises(ClientError) as caught:
        table.transact_write_items(
            TransactItems=[
                put("3", "new"),
                put("1", "first", run="b"),
                {"Update": {"TableName": TABLE, "Key": key("1"), **change}},
                {"Delete": {"TableName": TABLE, "Key": key("2")}},
                put("4", "never", ConditionExpression="attribute_exists(said)"),
            ]
        )
    assert caught.value.response["Error"]["Code"] == "TransactionCanceledException"
    assert items(table) == before == {("a", "1"): "proven", ("a", "2"): "intended"}


def test_a_transaction_that_names_an_item_twice_is_refused_and_leaves_it(table: Any) -> None:
    before = items(table)
    with pytest.raises(ClientError):
        table.transact_write_items(TransactItems=[put("1", "one", run="c"), put("1", "other", run="c")])
    assert items(table) == before


def test_what_holds_is_written_whole(table: Any) -> None:
    check = {"TableName": TABLE, "Key": key("1", "d"), "ConditionExpression": "attribute_not_exists(said)"}
    table.transact_write_items(TransactItems=[{"ConditionCheck": check}, put("2", "proven", run="d")])
    assert items(table)["d", "2"] == "proven"


def test_a_backup_of_a_table_is_no_part_of_it(table: Any) -> None:
    made = table.create_backup(TableName=TABLE, BackupName="before")["BackupDetails"]["BackupArn"]
    table.put_item(TableName=TABLE, Item=key("9", "e") | {"said": {"S": "later"}})
    table.restore_table_from_backup(TargetTableName="restored", BackupArn=made)
    restored = table.scan(TableName="restored", ConsistentRead=True)["Items"]
    assert ("e", "9") in items(table) and "e" not in {each["run"]["S"] for each in restored}
