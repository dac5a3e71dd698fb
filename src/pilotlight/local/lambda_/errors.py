"""The errors the Lambda service answers with, as its API reference names them ("Invoke", "CreateFunction")."""

from __future__ import annotations

from moto.awslambda.exceptions import LambdaClientError


class TooManyRequests(LambdaClientError):
    """The function is at its concurrency limit; the event was not run."""

    code = 429

    def __init__(self, reserved: bool) -> None:
        super().__init__("TooManyRequestsException", "Rate Exceeded.")
        kind = "ReservedFunctionConcurrent" if reserved else "Concurrent"
        self.reason = f"{kind}InvocationLimitExceeded"


class InvalidContent(LambdaClientError):
    """The request body is not JSON."""

    def __init__(self) -> None:
        super().__init__("InvalidRequestContentException", "Could not parse request body into json.")


class PayloadTooLarge(LambdaClientError):
    """The request body is larger than Lambda takes."""

    code = 413

    def __init__(self, size: int, limit: int) -> None:
        super().__init__("RequestTooLargeException", f"{size} byte payload is too large: the limit is {limit} bytes.")


class NotPermitted(LambdaClientError):
    """A service may not invoke the function: its resource policy, or the role used, does not allow it."""

    code = 403

    def __init__(self, who: str, arn: str, why: str) -> None:
        message = f"{who} is not authorized to perform: lambda:InvokeFunction on resource: {arn} because {why}"
        super().__init__("AccessDeniedException", message)


class Rejected(LambdaClientError):
    """A function that cannot be created or updated as asked."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidParameterValueException", message)
