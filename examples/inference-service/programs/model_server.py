"""Serves predictions over HTTP from the newest checkpoint that is complete in this region's bucket.

/healthz 200 once weights are loaded and while this region is active; /predict the prediction with region, step, sha256
of the weights and epoch; /volumes the newest record on each mounted volume. The candidate is what a recovery chose
(SSM parameter), then any newer row of `models` whose files are all here and have the registered checksum.
"""

import hashlib
import json
import os
import struct
import threading
import time
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg
from botocore.exceptions import BotoCoreError, ClientError
from fence import client, fence_from_environment

POLL_SECONDS = 2.0
PORT = 8080
INDEX = "model.safetensors.index.json"
ROWS = "SELECT step, uri, sha256 FROM models ORDER BY step DESC LIMIT 20"
HEADER_BYTES_MAX = 1_000_000
INPUTS = 16


class Incomplete(Exception):
    """This folder is not a whole checkpoint, or not the one that was registered."""


class Weights:
    """A checkpoint in memory: its step, its checksum, and one row of weights to predict with."""

    def __init__(self, step, sha256, row):
        self.step, self.sha256, self.row = step, sha256, row

    def predict(self, values):
        """Dot product of the input with the row."""
        return sum(weight * value for weight, value in zip(self.row, values, strict=False))


def first_row(data):
    """The first INPUTS numbers of the first F32 tensor of a safetensors file, whose header must cover it exactly."""
    (length,) = struct.unpack_from("<Q", data)
    if length > min(HEADER_BYTES_MAX, len(data) - 8):
        raise Incomplete("header is longer than the file")
    tensors = {name: each for name, each in json.loads(data[8 : 8 + length]).items() if name != "__metadata__"}
    body = memoryview(data)[8 + length :]
    if max(each["data_offsets"][1] for each in tensors.values()) != len(body):
        raise Incomplete("tensors do not cover the file")
    begin, end = next(each["data_offsets"] for each in tensors.values() if each["dtype"] == "F32")
    return struct.unpack_from(f"<{min(INPUTS, (end - begin) // 4)}f", body, begin)


def step_of(folder):
    """checkpoints/step-000120/ -> 120."""
    return int(folder.rstrip("/").rpartition("-")[2])


class Models:
    """The checkpoints of this region's bucket."""

    def __init__(self, bucket, prefix, objects):
        self.bucket, self.prefix, self.objects = bucket, prefix, objects

    def load(self, folder, registered=""):
        """Read a checkpoint whole; Incomplete where a file is missing, damaged or not what was registered."""
        try:
            index = json.loads(self._read(folder + INDEX))
            names = sorted(set(index["weight_map"].values()))
            files = [self._read(folder + name) for name in names]
            rows = [first_row(data) for data in files]
            step = step_of(folder)
        except (ClientError, ValueError, KeyError, StopIteration, struct.error) as problem:
            raise Incomplete(f"{folder}: {problem}") from problem
        sha256 = hashlib.sha256(b"".join(files)).hexdigest()
        if registered and sha256 != registered:
            raise Incomplete(f"{folder}: checksum {sha256} is not the registered one")
        return Weights(step, sha256, rows[0])

    def folders(self):
        """Every checkpoint folder, the newest first."""
        pages = self.objects.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=self.prefix, Delimiter="/"
        )
        found = [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", [])]
        return sorted((each for each in found if each.rstrip("/").rpartition("-")[2].isdigit()), key=step_of)[::-1]

    def _read(self, key):
        return self.objects.get_object(Bucket=self.bucket, Key=key)["Body"].read()


class Registry:
    """The `models` table; None where it cannot be read."""

    def __init__(self, address, name, secret, secrets):
        self.address, self.name, self.secret, self.secrets = address, name, secret, secrets
        self.connection = None

    def rows(self):
        """[(step, folder, sha256)], the newest first; the bucket of a row's URI is where it was written, not ours."""
        try:
            if self.connection is None or self.connection.closed:
                self.connection = self._connect()
            found = self.connection.execute(ROWS).fetchall()
        except (psycopg.Error, BotoCoreError, ClientError, OSError):
            self.close()
            return None
        return [(step, urllib.parse.urlparse(uri).path.lstrip("/"), sha256) for step, uri, sha256 in found]

    def close(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def _connect(self):
        login = json.loads(self.secrets.get_secret_value(SecretId=self.secret)["SecretString"])
        host, _, port = self.address.rpartition(":")
        return psycopg.connect(
            host=host,
            port=int(port),
            dbname=self.name,
            user=login["username"],
            password=login["password"],
            connect_timeout=2,
            autocommit=True,
        )


class Server:
    """What is served, and the loop that looks for something newer."""

    def __init__(self, region, models, registry, parameters, parameter, fence):
        self.region, self.models, self.registry = region, models, registry
        self.parameters, self.parameter, self.fence = parameters, parameter, fence
        self.weights = None

    def poll(self):
        """Load the newest complete checkpoint, if it is newer than what is served."""
        for folder, sha256 in self.candidates():
            if self.weights is not None and step_of(folder) <= self.weights.step:
                return
            try:
                self.weights = self.models.load(folder, sha256)
                return
            except Incomplete as problem:
                print(problem, flush=True)

    def candidates(self):
        """(folder, checksum), best first: rows above what a recovery chose, then that; else a listing."""
        recovered = self.recovered()
        floor = step_of(recovered) if recovered else -1
        rows = self.registry.rows()
        found = [(folder, sha256) for step, folder, sha256 in rows or [] if step > floor]
        found += [(recovered, "")] if recovered else []
        if not found:
            found = [(folder, "") for folder in self.models.folders()]
        return found

    def recovered(self):
        """Folder that a recovery chose in this region, or empty."""
        try:
            answer = self.parameters.get_parameter(Name=self.parameter)
        except (BotoCoreError, ClientError):
            return ""
        return urllib.parse.urlparse(answer["Parameter"]["Value"]).path.strip("/") + "/"

    def answer(self, path, query):
        """(status, body) of one request."""
        if path == "/volumes":
            return 200, {"region": self.region, "volumes": volumes()}
        if self.fence.refusal:
            return 503, {"error": "fenced", "epoch": self.fence.epoch, "why": self.fence.refusal, "region": self.region}
        if self.weights is None:
            return 503, {"error": "loading", "region": self.region}
        said = {"region": self.region, "step": self.weights.step, "epoch": self.fence.epoch}
        if path == "/healthz":
            return 200, said
        if path == "/predict":
            return 200, said | {"sha256": self.weights.sha256, "prediction": self.weights.predict(inputs(query))}
        return 404, {"error": "no such path", "paths": ["/healthz", "/predict", "/volumes"]}


def inputs(query):
    """`x=0.5,2` as numbers; ones where there is none or it is no list of numbers."""
    try:
        return [float(each) for each in query["x"][0].split(",")]
    except (KeyError, ValueError):
        return [1.0] * INPUTS


def volumes():
    """{device: {"n": number, "at": seconds}} of the newest whole record on each mounted volume."""
    found = {}
    for name in sorted(name for name in os.environ if name.startswith("DEVICE_")):
        file = Path(os.environ[name], "records.log")
        lines = file.read_text().splitlines(keepends=True) if file.exists() else []
        whole = [line.split() for line in lines if line.endswith("\n") and len(line.split()) == 2]
        last = whole[-1] if whole else ["0", "0"]
        found[name.removeprefix("DEVICE_").lower()] = {"n": int(last[0]), "at": float(last[1])}
    return found


def handler(server):
    """The HTTP side of a server."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked = urllib.parse.urlsplit(self.path)
            status, body = server.answer(asked.path, urllib.parse.parse_qs(asked.query))
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    return Handler


def private_ip():
    """PRIVATE_IP, or what the instance metadata (IMDSv2) says."""
    if "PRIVATE_IP" in os.environ:
        return os.environ["PRIVATE_IP"]
    base = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://169.254.169.254").rstrip("/") + "/latest/"
    ttl = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    asking = urllib.request.Request(base + "api/token", method="PUT", headers=ttl)
    token = urllib.request.urlopen(asking, timeout=2).read().decode()
    asking = urllib.request.Request(base + "meta-data/local-ipv4", headers={"X-aws-ec2-metadata-token": token})
    return urllib.request.urlopen(asking, timeout=2).read().decode()


def server_from_environment():
    region = os.environ["REGION"]
    models = Models(os.environ["MODEL_BUCKET"], os.environ["MODEL_PREFIX"], client("s3", region))
    login = os.environ["DATABASE_SECRET"], client("secretsmanager", region)
    registry = Registry(os.environ["DATABASE"], os.environ["DATABASE_NAME"], *login)
    parameters, parameter = client("ssm", region), os.environ["RECOVERED_PARAMETER"]
    return Server(region, models, registry, parameters, parameter, fence_from_environment())


def main():
    """Serve until a newer epoch is active here: then end, so that the next start reads everything anew."""
    server = server_from_environment()
    server.fence.watch()
    serving = ThreadingHTTPServer((private_ip(), PORT), handler(server))
    threading.Thread(target=serving.serve_forever, name="http", daemon=True).start()
    while not server.fence.superseded:
        try:
            server.poll()
        except (BotoCoreError, ClientError, OSError) as problem:
            print(f"{type(problem).__name__}: {problem}", flush=True)
        time.sleep(POLL_SECONDS)
    serving.server_close()


if __name__ == "__main__":
    main()
