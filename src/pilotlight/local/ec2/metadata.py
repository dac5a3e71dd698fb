"""IMDSv2: what an instance learns of itself, and where its role's credentials come from.

EC2 User Guide, "Use the Instance Metadata Service": a token by PUT, then GET with that token; without a token 401. One
small server per instance, named to its process by the standard variable AWS_EC2_METADATA_SERVICE_ENDPOINT.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pilotlight.local.kernel.cloud import Behaviour, Cloud

BASE = "/latest/"
TOKEN_PATH = f"{BASE}api/token"
TOKEN_HEADER = "X-aws-ec2-metadata-token"
TOKENS_MAX = 64
"""Tokens one instance holds at most; the oldest are forgotten."""


class Metadata(Behaviour):
    """Serves each instance its metadata."""

    name = "metadata"

    def install(self, cloud: Cloud) -> None:
        super().install(cloud)
        self._servers: dict[str, ThreadingHTTPServer] = {}

    def open(self, instance: Any, region: str, address: str) -> str:
        """Start the server of an instance; its URL."""
        server = ThreadingHTTPServer((address, 0), _handler(lambda path: self._answer(instance, region, path)))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, name=f"metadata {instance.id}", daemon=True).start()
        self._servers[instance.id] = server
        return f"http://{address}:{server.server_address[1]}/"

    def close(self, instance_id: str) -> None:
        """The instance is gone."""
        server = self._servers.pop(instance_id, None)
        if server is not None:
            server.shutdown()
            server.server_close()

    def stop(self) -> None:
        for instance_id in list(self._servers):
            self.close(instance_id)

    def _answer(self, instance: Any, region: str, path: str) -> str | None:
        """The text at one path, or None where there is none."""
        plain = {
            "meta-data/instance-id": instance.id,
            "meta-data/instance-type": instance.instance_type,
            "meta-data/ami-id": instance.image_id,
            "meta-data/local-ipv4": instance.private_ip_address,
            "meta-data/placement/region": region,
            "meta-data/placement/availability-zone": instance.availability_zone,
            "dynamic/instance-identity/document": _document(instance, region, self.cloud.account),
            "user-data": instance.plain_user_data,
        }
        if path in plain:
            return str(plain[path] or "")
        if path.startswith("meta-data/iam/security-credentials"):
            return self._credentials(instance, path)
        if path.startswith("meta-data/tags/instance"):
            tags = {tag["key"]: tag["value"] for tag in instance.get_tags()}
            wanted = path.removeprefix("meta-data/tags/instance").strip("/")
            return tags.get(wanted) if wanted else "\n".join(sorted(tags))
        return None

    def _credentials(self, instance: Any, path: str) -> str | None:
        role = role_of(self.cloud, instance)
        if role is None:
            return None
        wanted = path.removeprefix("meta-data/iam/security-credentials").strip("/")
        if not wanted:
            return role.rsplit("/", 1)[-1]
        found = self.cloud.role_credentials(role, instance.id)
        expires = found["Expiration"]
        return json.dumps(
            {
                "Code": "Success",
                "Type": "AWS-HMAC",
                "LastUpdated": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "AccessKeyId": found["AccessKeyId"],
                "SecretAccessKey": found["SecretAccessKey"],
                "Token": found["SessionToken"],
                "Expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(expires, datetime) else expires,
            }
        )


def role_of(cloud: Cloud, instance: Any) -> str | None:
    """ARN of the role behind an instance's profile."""
    profile = instance.profile_name
    if not profile:
        return None
    profiles = cloud.backend("iam", "global").get_instance_profiles()
    found = next((each for each in profiles if each.name == profile), None)
    return str(found.roles[0].arn) if found is not None and found.roles else None


def _document(instance: Any, region: str, account: str) -> str:
    return json.dumps(
        {
            "accountId": account,
            "region": region,
            "instanceId": instance.id,
            "instanceType": instance.instance_type,
            "imageId": instance.image_id,
            "privateIp": instance.private_ip_address,
            "availabilityZone": instance.availability_zone,
        }
    )


def _handler(answer: Callable[[str], str | None]) -> type[BaseHTTPRequestHandler]:
    """The HTTP side of one instance's metadata."""
    tokens: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            if self.path != TOKEN_PATH:
                self._say(404, "")
                return
            tokens.append(secrets.token_urlsafe(32))
            del tokens[:-TOKENS_MAX]
            self._say(200, tokens[-1])

        def do_GET(self) -> None:
            if self.headers.get(TOKEN_HEADER) not in tokens:
                self._say(401, "")
                return
            found = answer(self.path.removeprefix(BASE).rstrip("/"))
            self._say(404 if found is None else 200, found or "")

        def _say(self, status: int, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Instances ask often; nothing is worth a line."""

    return Handler
