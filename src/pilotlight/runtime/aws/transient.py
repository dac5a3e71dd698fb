"""Which of AWS's errors pass by themselves: the one table that tells a refusal from a "not now".

A code that is not here is an answer. One that is missing here makes a region's hiccup a decision: a checkpoint that
could not be read for a second would be called torn, and an older one resumed from. Sources: botocore,
retries/standard.py (TransientRetryableChecker, ThrottledRetryableChecker) and data/_retry.json; the API references of
the services named below, "Errors" and "Common error types".
"""

from __future__ import annotations

from collections.abc import Collection

NOT_DONE = frozenset(
    {
        # botocore, ThrottledRetryableChecker
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottledException",
        "TooManyRequestsException",
        "ProvisionedThroughputExceededException",
        "TransactionInProgressException",
        "RequestLimitExceeded",
        "BandwidthLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "PriorRequestNotComplete",
        "EC2ThrottledException",
        # botocore, _retry.json
        "ReplicatedWriteConflictException",
        # S3 API reference, "List of error codes": a conflicting conditional operation; KMS was throttled meanwhile
        "OperationAborted",
        "ConditionalRequestConflict",
        "KMS.ThrottlingException",
        # EC2 Auto Scaling API reference, "Common errors" of UpdateAutoScalingGroup and SetDesiredCapacity
        "ScalingActivityInProgress",
        "ResourceContention",
        # DynamoDB (TransactWriteItems), SSM (PutParameter), IAM: another change of the same thing is under way
        "TransactionConflictException",
        "TooManyUpdates",
        "ConcurrentModification",
    }
)
"""Nothing was done; the same call may be made again. botocore's `LimitExceededException` is left out: most services
mean a quota by it, which does not pass."""
UNANSWERED = frozenset(
    {
        # botocore, TransientRetryableChecker
        "RequestTimeout",
        "RequestTimeoutException",
        # "Common error types" of the API references
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "InternalServerErrorException",
        "InternalServiceError",
        "InternalServiceException",
        "InternalServiceFault",
        "ServerInternal",
        "ServiceException",
        "ServiceFailure",
        "ServiceInternalError",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "Unavailable",
        "DependencyTimeoutException",
        "KMSInternalException",
        "500",
        "502",
        "503",
        "504",
    }
)
"""It answers, and does not know, or does not say, what it did: an acting call may have been carried out."""
CANCELLED = "TransactionCanceledException"
CANCELLED_NOT_NOW = frozenset({"TransactionConflict", "ProvisionedThroughputExceeded", "ThrottlingError"})
"""DynamoDB API reference, TransactWriteItems, "Cancellation reasons": of the parts of a transaction that was not done;
a condition that does not hold is an answer, whatever the other parts met."""
UNANSWERED_STATUS = frozenset({500, 502, 503, 504})
"""botocore, TransientRetryableChecker: of any code but those below."""
ANSWERS = frozenset(
    {
        "EC2AccessDeniedException",
        "InvalidSecurityGroupIDException",
        "InvalidSubnetIDException",
        "InvalidZipFileException",
        "KMSAccessDeniedException",
        "KMSDisabledException",
        "KMSInvalidStateException",
        "KMSNotFoundException",
    }
)
"""Lambda says these with 502 (Lambda API reference, Invoke, "Errors"); waiting mends none."""


def passes(code: str, reasons: Collection[str] = ()) -> bool:
    """Whether the call was not carried out, and may be made again; `reasons` are those of a transaction's parts."""
    met = {each for each in reasons if each and each != "None"}
    return code in NOT_DONE or (code == CANCELLED and bool(met) and met <= CANCELLED_NOT_NOW)


def unanswered(code: str, status: int) -> bool:
    """Whether nothing is known of the call; `status` is HTTP's, 0 where there is none."""
    return code in UNANSWERED or (status in UNANSWERED_STATUS and code not in (*NOT_DONE, *ANSWERS))
