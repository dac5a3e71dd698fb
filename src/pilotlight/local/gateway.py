"""Every request to AWS passes here: who, where, what; is the region there; may they; then moto; then the record.

One gateway serves all listeners. A request to a dark region is cut without an answer, also in the middle of an upload:
the body is read whole, darkness is asked again, and only then moto sees it. IAM, Route 53 and Organizations live in
us-east-1 and go dark with it (AWS Fault Isolation Boundaries, "Global services"); what they decided goes on to hold
everywhere, for enforcement is in every region.
"""

from __future__ import annotations

import io
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, cast

from moto.core.request import Request

from pilotlight.local.iam.access import Denied
from pilotlight.local.iam.identities import BadToken, ExpiredSession, UnknownKey
from pilotlight.local.iam.needs import needs_of
from pilotlight.local.iam.policies import Principal
from pilotlight.local.iam.resources import Place
from pilotlight.local.kernel.cloud import ACCOUNT, LOCKED_SERVICES, Cloud
from pilotlight.local.kernel.commits import Commits
from pilotlight.local.wire import buckets
from pilotlight.local.wire.answers import Answer, Refusal, refuse
from pilotlight.local.wire.calls import DARK, OK, Call
from pilotlight.local.wire.listeners import BodyTooLarge, Connections, Observation
from pilotlight.local.wire.moto_application import backend_app, environ_for, through
from pilotlight.local.wire.operations import Operation, UnknownOperation, client_name, protocol_of, resolve
from pilotlight.local.wire.signature import Malformed, Signature, expired, read_signature
from pilotlight.runtime.arns import GLOBAL_REGION, GLOBAL_SERVICES

"""Their control planes are in us-east-1 whatever region the client signs for."""

MOTO_ACCOUNT = "HTTP_X_MOTO_ACCOUNT_ID"
"""The header by which moto is told whose resources a request is about."""
BACKENDS = {"s3control": f"{ACCOUNT}.s3-control"}
"""Services whose host is not their signing name: those calls are signed for S3."""
READ_TRIES_MAX = 5
"""moto reads may meet a write of another thread ("changed size during iteration"); a read is simply made again."""

DARK_BODY_BYTES_MAX = 1 << 16
"""Bodies up to this are read although the region is dark, to name the operation in the record."""


@dataclass
class Visit:
    """One request on its way through."""

    environ: dict[str, Any]
    body: Callable[[], bytes]
    region: str
    signing_name: str
    signature: Signature | None
    service: str
    protocol: str
    at: float = field(default_factory=time.time)
    principal: Principal | None = None
    operation: Operation | None = None

    @property
    def method(self) -> str:
        return str(self.environ.get("REQUEST_METHOD", "GET"))


class Refused(Exception):
    """AWS says no before any service was asked."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(refusal.message)


class Gateway:
    """The way in."""

    def __init__(self, cloud: Cloud, connections: Connections) -> None:
        self.cloud = cloud
        self.connections = connections
        self.commits = Commits(cloud.is_dark)
        cloud.faults.on_dark(connections.cut)
        cloud.faults.on_dark(self.commits.drain)

    def answer(self, environ: dict[str, Any], body: Callable[[], bytes], where: str | None) -> Answer:
        """Answer one request that came to the endpoint `where`; raises Cut where nothing may answer."""
        try:
            visit = self._read(environ, body, where)
        except Refused as no:
            service = "s3" if not environ.get("HTTP_X_AMZ_TARGET") and environ["REQUEST_METHOD"] != "POST" else ""
            return refuse(no.refusal, service, protocol_of(service) if service else "query", environ["REQUEST_METHOD"])
        connection = environ.get("werkzeug.socket")
        self.connections.enter(visit.region, connection) if connection else None
        try:
            return self._admit(visit, where)
        finally:
            if connection and where is None:
                self.connections.leave(visit.region, connection)

    # -- who and where ---------------------------------------------------------------------------------------

    def _read(self, environ: dict[str, Any], body: Callable[[], bytes], where: str | None) -> Visit:
        try:
            signature = read_signature(environ)
        except (Malformed, ValueError, KeyError) as problem:
            raise Refused(Refusal("malformed", f"The authorization header is malformed: {problem}")) from None
        signing_name = signature.service if signature else "s3"
        if signing_name == "s3":
            buckets.to_path_style(environ)
        region = self._region(environ, signature, signing_name, where)
        service = client_name(signing_name, environ)
        return Visit(environ, body, region, signing_name, signature, service, protocol_of(service))

    def _region(
        self, environ: dict[str, Any], signature: Signature | None, signing_name: str, where: str | None
    ) -> str:
        if signing_name in GLOBAL_SERVICES:
            return GLOBAL_SERVICES[signing_name]
        if signature is not None and signature.region:
            return CLASSIC.get(signature.region, signature.region)
        bucket = buckets.bucket_in_path(str(environ.get("PATH_INFO", "")))
        return where or buckets.bucket_region(bucket) or buckets.CLASSIC_REGION

    # -- from the request to the record -------------------------------------------------------------------------

    def _admit(self, visit: Visit, where: str | None) -> Answer:
        losses = self.cloud.faults.losses()
        if self.cloud.is_dark(visit.region) or (where is not None and self.cloud.is_dark(where)):
            self._lost(visit)
        self.cloud.stopping.wait(self.cloud.faults.delay(visit.region))
        try:
            body = visit.body()
        except BodyTooLarge:
            return self._refuse(visit, Refusal("too large", "Your proposed upload is larger than this cloud takes."))
        except Observation:
            if losses != self.cloud.faults.losses():
                self._record(visit, b"", DARK, 0)
            raise
        try:
            return self._carry_out(visit, body, where)
        except Refused as no:
            return self._refuse(visit, no.refusal)

    def _carry_out(self, visit: Visit, body: bytes, where: str | None) -> Answer:
        self._name(visit, body)
        self._check_endpoint(visit, where)
        visit.principal = self._identify(visit)
        self._check_faults(visit)
        self._check_operation(visit)
        try:
            answer = self._ask_moto(visit, body)
        except Observation:
            self._record(visit, body, DARK, 0)
            raise
        call = self._record(visit, body, answer.code, answer.status)
        if answer.code == OK:
            self.cloud.told(call)
        if self.cloud.is_dark(visit.region):
            raise Observation(visit.region)
        return answer

    def _check_endpoint(self, visit: Visit, where: str | None) -> None:
        signed = visit.signature.region if visit.signature else ""
        if visit.region not in self.cloud.regions:
            served = ", ".join(self.cloud.regions)
            raise Refused(Refusal("not served", f"{visit.region} is not served by this cloud, which has {served}."))
        if where is not None and where != visit.region:
            message = f"Credential should be scoped to a valid region, not '{signed or visit.region}'."
            if visit.service == "s3":
                message = f"The authorization header is malformed; the region '{signed}' is wrong; expecting '{where}'"
            raise Refused(Refusal("wrong region", message, (("Region", where),)))

    def _identify(self, visit: Visit) -> Principal:
        identities = self.cloud.access.identities
        if visit.signature is None:
            if visit.service != "s3":
                raise Refused(Refusal("unsigned", "Request is missing Authentication Token"))
            return identities.anonymous
        if expired(visit.signature):
            raise Refused(Refusal("unsigned", "Request has expired"))
        try:
            return identities.principal(visit.signature.access_key, visit.signature.token)
        except (UnknownKey, BadToken):
            text = "The security token included in the request is invalid."
            if visit.service == "s3":
                text = "The AWS Access Key Id you provided does not exist in our records."
            raise Refused(Refusal("unknown key", text)) from None
        except ExpiredSession:
            raise Refused(Refusal("expired", "The security token included in the request is expired")) from None

    def _check_faults(self, visit: Visit) -> None:
        if self.cloud.faults.is_dead(visit.region, visit.service):
            raise Refused(Refusal("unavailable", "Service Unavailable. Please try again later."))
        if self.cloud.faults.throttles(visit.region, visit.service):
            raise Refused(Refusal("throttled", "Rate exceeded"))

    def _check_operation(self, visit: Visit) -> None:
        operation = visit.operation
        if operation is None or visit.principal is None:
            raise Refused(Refusal("unknown operation", "The operation is not known to this cloud."))
        if operation.service == "s3":
            no = buckets.refusal(operation, visit.region)
            if no is not None:
                raise Refused(no)
            if self.cloud.is_dark(buckets.region_of_source(operation) or ""):
                raise Refused(Refusal("unavailable", "The region of the copy source does not answer."))
        try:
            place = Place(visit.region, visit.principal.account or self.cloud.account)
            self.cloud.access.check(visit.principal, needs_of(operation, place), visit.region)
        except Denied as denied:
            raise Refused(Refusal("denied", denied.message)) from None

    # -- moto ------------------------------------------------------------------------------------------------

    def _ask_moto(self, visit: Visit, body: bytes) -> Answer:
        operation = cast(Operation, visit.operation)
        name = BACKENDS.get(visit.service, visit.signing_name)
        environ = environ_for(name, visit.region, visit.environ, body) | {MOTO_ACCOUNT: self._account(visit)}
        with self.commits.of(visit.region), self._serial(operation.service):
            for tries in range(1, READ_TRIES_MAX + 1):
                try:
                    return through(backend_app(name), environ)
                except RuntimeError:
                    if tries == READ_TRIES_MAX or not operation.reads_only:
                        return self._failed(visit)
                except NotImplementedError as problem:
                    raise Refused(Refusal("unknown operation", str(problem))) from None
                except Exception:
                    return self._failed(visit)
        raise AssertionError("the last try returns")

    def _account(self, visit: Visit) -> str:
        """Whose memory of moto's answers: that of the bucket's owner, whoever asks; else the caller's."""
        if visit.operation is not None and visit.operation.service == "s3":
            found = buckets.find_bucket(str(visit.operation.params.get("Bucket", "")))
            if found is not None and visit.operation.name != "CreateBucket":
                return str(found.account_id)
        return (visit.principal.account if visit.principal else "") or self.cloud.account

    def _failed(self, visit: Visit) -> Answer:
        self.cloud.log(f"{visit.service}:{visit.operation and visit.operation.name}: {traceback.format_exc()}")
        no = Refusal("failure", "We encountered an internal error. Please try again.")
        return refuse(no, visit.service, visit.protocol, visit.method)

    def _serial(self, service: str) -> AbstractContextManager[Any]:
        return self.cloud.lock(service) if service in LOCKED_SERVICES else nullcontext()

    # -- the record ------------------------------------------------------------------------------------------

    def _name(self, visit: Visit, body: bytes) -> None:
        environ = visit.environ | {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
        if visit.signing_name == "s3":
            environ["HTTP_HOST"] = f"s3.{visit.region}.amazonaws.com"
        try:
            visit.operation = resolve(visit.signing_name, Request(environ), body)
        except UnknownOperation:
            visit.operation = None
            return
        visit.service, visit.protocol = visit.operation.service, visit.operation.protocol

    def _lost(self, visit: Visit) -> None:
        """A dark region: read what it takes to name the call, record it, and say nothing."""
        length = int(visit.environ.get("CONTENT_LENGTH") or 0)
        small = length <= DARK_BODY_BYTES_MAX and not visit.environ.get("HTTP_EXPECT")
        self._record(visit, visit.body() if small else b"", DARK, 0)
        raise Observation(visit.region)

    def _refuse(self, visit: Visit, refusal: Refusal) -> Answer:
        answer = refuse(refusal, visit.service, visit.protocol, visit.method)
        self._record(visit, b"", answer.code, answer.status)
        return answer

    def _record(self, visit: Visit, body: bytes, outcome: str, status: int) -> Call:
        if visit.operation is None:
            self._name(visit, body)
        operation = visit.operation
        call = Call(
            id=self.cloud.calls.next_id(),
            at=visit.at,
            region=visit.region,
            service=visit.service,
            operation=operation.name if operation else "Unknown",
            principal=self._label(visit),
            params=operation.recorded if operation else {},
            outcome=outcome,
            status=status,
        )
        self.cloud.calls.add(call)
        return call

    def _label(self, visit: Visit) -> str:
        try:
            return (visit.principal or self._identify(visit)).label
        except Refused:
            return visit.signature.access_key if visit.signature else "anonymous"


CLASSIC = {"aws-global": GLOBAL_REGION, "us-east-1-global": GLOBAL_REGION}
"""Scopes that mean us-east-1."""
