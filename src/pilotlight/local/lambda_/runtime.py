"""Lambda: functions run the archive that was really deployed, in clean processes, with their role and their timeout.

Source: AWS Lambda Developer Guide and API reference ("Invoke", "AddPermission", "Understanding the Lambda execution
environment lifecycle", "Sending Lambda function logs to CloudWatch Logs"). moto keeps the functions; this behaviour
replaces its Docker invocation. Logs are written only as far as the function's role allows it.
"""

from __future__ import annotations

import base64
import io
import json
import time
import zipfile
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

from moto.awslambda.models import LambdaBackend, LambdaFunction
from moto.awslambda.responses import LambdaResponse

from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.kernel.service_principals import ServiceRequest, policy_permits, role_trusts
from pilotlight.local.lambda_.asynchronous import EVENT_AGE_SECONDS_MAX, RETRY_DELAYS_SECONDS, Event, EventQueue
from pilotlight.local.lambda_.environment import FunctionSpec, Outcome, Task
from pilotlight.local.lambda_.errors import InvalidContent, NotPermitted, PayloadTooLarge, Rejected, TooManyRequests
from pilotlight.local.lambda_.pool import Pool
from pilotlight.local.overrides import original, override

SYNCHRONOUS_BYTES_MAX = 6 * 1024 * 1024
ASYNCHRONOUS_BYTES_MAX = 1024 * 1024
"""Payload quotas ("Lambda quotas")."""
LOG_TAIL_BYTES = 4096
"""X-Amz-Log-Result holds the last 4 KB of the log."""
QUEUE_TICK_SECONDS = 0.25
HOUSEKEEPING_SECONDS = 5.0
RESERVED_VARIABLES = frozenset(
    {
        *("_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV"),
        *("AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION"),
        *("AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME"),
        *("AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
        *("AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"),
    }
)
LOG_ACTIONS = ("logs:CreateLogStream", "logs:PutLogEvents")

_create_function = original(LambdaBackend, "create_function")
_update_function_code = original(LambdaBackend, "update_function_code")
_update_function_configuration = original(LambdaBackend, "update_function_configuration")


class LambdaRuntime(Behaviour):
    """Runs functions for the Invoke API and for the services that invoke them."""

    name = "lambda"

    def install(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._pool = Pool(cloud)
        self._queue = EventQueue(cloud, self._run_event, self._limits, self._dropped)
        _replace_operations(self)

    def start(self) -> None:
        self.cloud.every(QUEUE_TICK_SECONDS, self._queue.begin_due, "lambda events")
        self.cloud.every(HOUSEKEEPING_SECONDS, self._pool.end_idle, "lambda idle environments")

    def stop(self) -> None:
        self._pool.end_all()

    def invoke(
        self,
        region: str,
        function: str,
        payload: bytes,
        *,
        source_service: str | None = None,
        source_arn: str = "",
        role_arn: str | None = None,
    ) -> str:
        """Accept an asynchronous event from a service or through a role; its request id.

        NotPermitted where neither the function's policy nor the role allows it, moto's unknown-function error where
        there is no such function, PayloadTooLarge beyond Lambda's quota. The event itself runs and is retried later.
        """
        region = function.split(":")[3] if function.startswith("arn:") else region
        found = self._function(region, function, None)
        if source_service is not None:
            self._check_policy(found, source_service, source_arn)
        if role_arn is not None and not self.cloud.allows(role_arn, "lambda:InvokeFunction", found.function_arn):
            raise NotPermitted(role_arn, found.function_arn, "no identity-based policy allows it")
        return self.accept(region, function, payload)

    def run(self, region: str, function: str, qualifier: str | None, payload: bytes) -> Outcome:
        """Run one event to its end and write its log; TooManyRequests at the concurrency limit."""
        found = self._function(region, function, qualifier)
        return self._run_task(found, region, Task(payload))

    def _run_task(self, found: Any, region: str, task: Task) -> Outcome:
        spec = spec_of(found, region)
        reserved = None if found.reserved_concurrency is None else int(found.reserved_concurrency)
        begin = time.perf_counter()
        try:
            with self._pool.environment(spec, found.code_bytes, reserved) as environment:
                outcome = environment.run(task)
                self._write_log(spec, environment.log_stream, outcome.log)
        except TooManyRequests:
            self._measure(spec, Throttles=1)
            raise
        milliseconds = (time.perf_counter() - begin) * 1000
        self._measure(spec, Invocations=1, Errors=int(outcome.function_error is not None), Duration=milliseconds)
        return outcome

    def _function(self, region: str, function: str, qualifier: str | None) -> Any:
        return self.cloud.backend("lambda", region).get_function(function, qualifier)

    def _check_policy(self, found: Any, service: str, source_arn: str) -> None:
        request = ServiceRequest(service, "lambda:InvokeFunction", found.function_arn, source_arn, self.cloud.account)
        if not policy_permits({"Statement": found.policy.statements}, request):
            raise NotPermitted(service, found.function_arn, "no resource-based policy allows it")

    # -- asynchronous events -----------------------------------------------------------------------------------

    def accept(self, region: str, function: str, payload: bytes) -> str:
        """Queue an event whose sender is known to be allowed; its request id."""
        if len(payload) > ASYNCHRONOUS_BYTES_MAX:
            raise PayloadTooLarge(len(payload), ASYNCHRONOUS_BYTES_MAX)
        task = Task(payload)
        self._queue.accept(Event(region, function, task))
        return task.request_id

    def _run_event(self, event: Event) -> Outcome:
        found = self._function(event.region, event.function, None)
        return self._run_task(found, event.region, event.task)

    def _limits(self, event: Event) -> tuple[int, float]:
        """Retries and age (AWS seconds) allowed, from PutFunctionEventInvokeConfig where there is one."""
        configured = self._function(event.region, event.function, None).event_invoke_config
        config = configured[-1].config if configured else {}
        retries = config.get("MaximumRetryAttempts", len(RETRY_DELAYS_SECONDS))
        return int(retries), float(config.get("MaximumEventAgeInSeconds", EVENT_AGE_SECONDS_MAX))

    def _dropped(self, event: Event) -> None:
        self.cloud.log(f"lambda {event.function} in {event.region}: event {event.task.request_id} dropped")
        with suppress(Exception):
            found = self._function(event.region, event.function, None)
            self._measure(spec_of(found, event.region), AsyncEventsDropped=1)

    # -- what a function leaves behind --------------------------------------------------------------------------

    def _write_log(self, spec: FunctionSpec, stream: str, text: str) -> None:
        logs = self.cloud.backend("logs", spec.region)
        group = f"arn:aws:logs:{spec.region}:{self.cloud.account}:log-group:{spec.log_group}"
        if not all(self.cloud.allows(spec.role, each, f"{group}:log-stream:{stream}") for each in LOG_ACTIONS):
            return
        if spec.log_group not in logs.groups:
            if not self.cloud.allows(spec.role, "logs:CreateLogGroup", f"{group}:*"):
                return
            logs.ensure_log_group(spec.log_group)
        if stream not in logs.groups[spec.log_group].streams:
            logs.create_log_stream(spec.log_group, stream)
        now = int(time.time() * 1000)
        logs.put_log_events(spec.log_group, stream, [{"timestamp": now, "message": line} for line in text.splitlines()])

    def _measure(self, spec: FunctionSpec, **values: float) -> None:
        dimensions = [{"Name": "FunctionName", "Value": spec.name}]
        data = [{"MetricName": name, "Value": value, "Dimensions": dimensions} for name, value in values.items()]
        self.cloud.backend("cloudwatch", spec.region).put_metric_data("AWS/Lambda", data)

    # -- the API -----------------------------------------------------------------------------------------------

    def answer_invoke(
        self, region: str, function: str, qualifier: str | None, body: bytes, invocation: str, tail: bool
    ) -> tuple[int, dict[str, str], bytes]:
        """The Invoke operation: status, headers and body."""
        check_content(body, SYNCHRONOUS_BYTES_MAX)
        if invocation == "DryRun":
            self._function(region, function, qualifier)
            return 204, {}, b""
        if invocation == "Event":
            self._function(region, function, qualifier)
            return 202, {"x-amzn-RequestId": self.accept(region, function, body)}, b""
        outcome = self.run(region, function, qualifier, body)
        headers = {"content-type": "application/json", "X-Amz-Executed-Version": qualifier or "$LATEST"}
        if outcome.function_error:
            headers["X-Amz-Function-Error"] = outcome.function_error
        if tail:
            headers["X-Amz-Log-Result"] = base64.b64encode(outcome.log.encode()[-LOG_TAIL_BYTES:]).decode()
        return 200, headers, outcome.payload

    def check_specification(self, specification: dict[str, Any]) -> None:
        """What CreateFunction and UpdateFunctionConfiguration refuse before anything changes."""
        if unrunnable := what_cannot_run(specification):
            raise Rejected(f"The embedded cloud does not run {unrunnable}.")
        role = specification.get("Role")
        if role and not role_trusts(self.cloud, role, "lambda.amazonaws.com"):
            raise Rejected("The role defined for the function cannot be assumed by Lambda.")
        variables = specification.get("Environment", {}).get("Variables", {})
        if taken := sorted(RESERVED_VARIABLES & set(variables)):
            raise Rejected(
                "Lambda was unable to configure your environment variables because the environment variables you have "
                f"provided contains reserved keys that are currently not supported for modification. Reserved keys "
                f"used in this request: {', '.join(taken)}"
            )


def spec_of(found: Any, region: str) -> FunctionSpec:
    """The part of moto's function that an environment is made from."""
    return FunctionSpec(
        arn=found.function_arn,
        name=found.function_name,
        region=region,
        version=str(found.version),
        handler=str(found.handler),
        role=found.role,
        code_sha256=found.code_sha_256,
        memory_megabytes=int(found.memory_size),
        timeout_seconds=float(found.timeout),
        runtime=str(found.run_time),
        variables=tuple(sorted(found.environment_vars.items())),
    )


def what_cannot_run(specification: dict[str, Any]) -> str:
    """The part of a function that would be accepted by AWS and cannot run here; empty where all can."""
    runtime = specification.get("Runtime") or ""
    if specification.get("PackageType") == "Image":
        return "functions from container images"
    if specification.get("Layers"):
        return "functions with layers"
    return f"the runtime {runtime}, only python3.x" if runtime and not runtime.startswith("python3.") else ""


def check_content(body: bytes, limit: int) -> None:
    """Lambda takes only JSON, and not too much of it."""
    if len(body) > limit:
        raise PayloadTooLarge(len(body), limit)
    if body:
        try:
            json.loads(body)
        except ValueError as error:
            raise InvalidContent from error


def check_archive(code: Any) -> None:
    """Refuse a zip file that cannot be read, as CreateFunction and UpdateFunctionCode do."""
    content = code.get("ZipFile")
    if content is None:
        return
    raw = base64.b64decode(content)
    if not zipfile.is_zipfile(io.BytesIO(raw)):
        raise Rejected("Could not unzip uploaded file. Please check your file, then try to upload again.")


def _replace_operations(runtime: LambdaRuntime) -> None:
    """Put this behaviour behind moto's Lambda operations."""

    def invoke(self: Any) -> tuple[int, dict[str, str], bytes]:
        function = unquote(self.path.rsplit("/", 2)[-2])
        qualifier = self._get_param("Qualifier") or self._get_param("qualifier")
        body = self.body if isinstance(self.body, bytes) else (self.body or "").encode()
        kind = self.headers.get("X-Amz-Invocation-Type") or "RequestResponse"
        tail = self.headers.get("X-Amz-Log-Type") == "Tail"
        status, headers, answer = runtime.answer_invoke(self.region, function, qualifier, body, kind, tail)
        return status, {**headers, "status": str(status)}, answer

    def invoke_for_moto(self: Any, body: Any, request_headers: Any, response_headers: Any) -> bytes:
        """What moto's own event sources (SQS, DynamoDB streams, S3, log subscriptions) call."""
        payload = body if isinstance(body, bytes) else str(body or "{}").encode()
        runtime.accept(self.region, self.function_arn, payload)
        return b""

    def create_function(self: Any, spec: dict[str, Any]) -> Any:
        check_archive(spec.get("Code", {}))
        runtime.check_specification(spec)
        return _create_function(self, spec)

    def update_function_code(self: Any, function_name: str, qualifier: str, body: dict[str, Any]) -> Any:
        check_archive(body)
        return _update_function_code(self, function_name, qualifier, body)

    def update_function_configuration(self: Any, function_name: str, qualifier: str, body: dict[str, Any]) -> Any:
        runtime.check_specification(body)
        return _update_function_configuration(self, function_name, qualifier, body)

    override(LambdaResponse, invoke=invoke)
    override(LambdaFunction, invoke=invoke_for_moto)
    override(
        LambdaBackend,
        create_function=create_function,
        update_function_code=update_function_code,
        update_function_configuration=update_function_configuration,
    )
