"""The RDS Data API on real PostgreSQL: what a function reads of a database without a network of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pilotlight.local.kernel.cloud import Cloud
from pilotlight.local.rds.rds_data import DataApi, marked
from support.data_cloud import EAST, PASSWORD, WEST, client, connect, databases, make_global, refusal, running


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running(tmp_path_factory.mktemp("cloud"), [*databases(), DataApi()]) as started:
        yield started


class Api:
    """A global database with the endpoint on, a login, and one way to ask."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.east, self.west = make_global(cloud, "data")
        for region, name in ((EAST, "data-east"), (WEST, "data-west")):
            client(cloud, "rds", region).modify_db_cluster(DBClusterIdentifier=name, EnableHttpEndpoint=True)
        self.secret = self.login(PASSWORD, "right")

    def login(self, password: str, name: str) -> str:
        text = json.dumps({"username": "owner", "password": password})
        made = client(self.cloud, "secretsmanager", EAST).create_secret(Name=name, SecretString=text)
        return str(made["ARN"])

    def ask(self, sql: str, by: Any = None, **more: Any) -> dict[str, Any]:
        asked = {"resourceArn": self.east["DBClusterArn"], "secretArn": self.secret, "database": "app", "sql": sql}
        answer: dict[str, Any] = (by or client(self.cloud, "rds-data", EAST)).execute_statement(**(asked | more))
        return answer


@pytest.fixture(scope="module")
def api(cloud: Cloud) -> Api:
    return Api(cloud)


def test_rows_come_back_typed_as_aws_types_them(api: Api) -> None:
    sql = "SELECT 1, 2.5::float8, true, 'a', NULL, 1.25::numeric, ARRAY[1,2], timestamp '2026-01-02 03:04:05'"
    assert api.ask(sql)["records"] == [
        [
            {"longValue": 1},
            {"doubleValue": 2.5},
            {"booleanValue": True},
            {"stringValue": "a"},
            {"isNull": True},
            {"stringValue": "1.25"},
            {"stringValue": "[1, 2]"},
            {"stringValue": "2026-01-02 03:04:05"},
        ]
    ]


def test_writes_are_written_and_counted(api: Api) -> None:
    parameters = [{"name": "n", "value": {"longValue": 4711}}]
    assert api.ask("INSERT INTO rows VALUES (:n)", parameters=parameters)["numberOfRecordsUpdated"] == 1
    with connect(api.east) as connection:
        assert connection.execute("SELECT count(*) FROM rows WHERE n = 4711").fetchone() == (1,)


def test_parameters_are_values_and_never_sql(api: Api) -> None:
    value = {"stringValue": "x'; DROP TABLE rows; --"}
    assert api.ask("SELECT :v", parameters=[{"name": "v", "value": value}])["records"] == [[value]]


def test_marks_inside_texts_and_casts_are_no_parameters() -> None:
    assert marked("SELECT ':a', \"b:c\", x::text, :d, '50%' LIKE '5%'") == (
        "SELECT ':a', \"b:c\", x::text, %(d)s, '50%%' LIKE '5%%'"
    )


def test_names_of_columns_come_along_when_asked_for(api: Api) -> None:
    assert api.ask("SELECT 1 AS one", includeResultMetadata=True)["columnMetadata"][0]["name"] == "one"


def test_a_secondary_does_not_answer(api: Api) -> None:
    west = client(api.cloud, "rds-data", WEST)
    asked = {"resourceArn": api.west["DBClusterArn"], "secretArn": api.secret, "sql": "SELECT 1"}
    assert refusal(lambda: west.execute_statement(**asked)) == "DatabaseUnavailableException"


def test_an_endpoint_that_is_off_does_not_answer(api: Api) -> None:
    rds = client(api.cloud, "rds", EAST)
    rds.modify_db_cluster(DBClusterIdentifier="data-east", EnableHttpEndpoint=False)
    try:
        told = rds.describe_db_clusters(DBClusterIdentifier="data-east")["DBClusters"][0]
        assert not told["HttpEndpointEnabled"]
        assert refusal(lambda: api.ask("SELECT 1")) == "HttpEndpointNotEnabledException"
    finally:
        rds.modify_db_cluster(DBClusterIdentifier="data-east", EnableHttpEndpoint=True)


def test_wrong_sql_and_wrong_passwords_are_told_in_the_servers_words(api: Api) -> None:
    with pytest.raises(Exception, match='relation "nothing" does not exist'):
        api.ask("SELECT * FROM nothing")
    with pytest.raises(Exception, match="password authentication failed"):
        api.ask("SELECT 1", secretArn=api.login("wrong", "wrong"))


def test_an_answer_above_a_mebibyte_is_refused(api: Api) -> None:
    with pytest.raises(Exception, match="more than the allowed response size limit"):
        api.ask("SELECT repeat('x', 1000) FROM generate_series(1, 2000)")


@pytest.mark.parametrize("lacking", ["rds-data:ExecuteStatement", "secretsmanager:GetSecretValue"])
def test_a_caller_needs_the_right_to_both_cluster_and_secret(api: Api, lacking: str) -> None:
    both = {"rds-data:ExecuteStatement": api.east["DBClusterArn"], "secretsmanager:GetSecretValue": api.secret}
    iam = client(api.cloud, "iam", EAST)
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    name = "reader-without-" + lacking.split(":")[0]
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    by = api.cloud.client("rds-data", EAST, api.cloud.role_credentials(role, "reader"))

    def allow(actions: dict[str, str]) -> None:
        statements = [{"Effect": "Allow", "Action": action, "Resource": on} for action, on in actions.items()]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_role_policy(RoleName=name, PolicyName="read", PolicyDocument=policy)

    allow({action: on for action, on in both.items() if action != lacking})
    assert refusal(lambda: api.ask("SELECT 1", by=by)) == "AccessDeniedException"
    allow(both)
    assert api.ask("SELECT 1", by=by)["records"] == [[{"longValue": 1}]]
