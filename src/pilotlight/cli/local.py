"""`pilotlight local`: the embedded cloud as a thing of its own: start, stop, look, darken, light, call record, mail."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from pilotlight.cli.talk import Directory, Json, print_json, say
from pilotlight.local.handle import LocalCloud
from pilotlight.runtime.errors import BadOption
from pilotlight.workload.words import REGIONS, nearest

app = typer.Typer(no_args_is_help=True, help="The embedded cloud: AWS APIs for several regions on this machine.")

PACE_MAX = 600.0
"""Above this an AWS minute is a tenth of a second and schedules pile up on a small machine."""


@app.command()
def up(
    directory: Directory,
    regions: Annotated[str, typer.Option(help="Regions to serve, separated by commas.")] = "us-east-1,us-west-2",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the endpoint that serves all regions; 0 takes a free one.")
    ] = 0,
    pace: Annotated[
        float, typer.Option(help="How many times faster than AWS schedules, alarms and copies run.")
    ] = 30.0,
    seed: Annotated[int, typer.Option(help="Seed of all random choices.")] = 0,
    json: Json = False,
) -> None:
    """Start it in the background and print how to point clients at it."""
    if not 0 < pace <= PACE_MAX:
        raise BadOption(option="--pace", value=pace, reason="is out of range", expected=f"a number up to {PACE_MAX:g}")
    cloud = LocalCloud.start(
        directory=directory, regions=_regions(regions), pace=pace, seed=seed, port=port, follow_parent=False
    )
    if json:
        print_json(cloud.status())
    else:
        show_access(cloud)


@app.command()
def down(directory: Directory) -> None:
    """Stop it, with everything it started; its data goes with it."""
    LocalCloud.attach(directory).stop()
    say("The embedded cloud is stopped and its data removed.")


@app.command()
def status(directory: Directory, json: Json = False) -> None:
    """What runs, and which regions are dark."""
    cloud = LocalCloud.attach(directory)
    if json:
        print_json(cloud.status())
    else:
        show_access(cloud)


@app.command()
def dark(region: str, directory: Directory) -> None:
    """Cut a region off: no answers, its processes frozen, its schedules still."""
    _known(LocalCloud.attach(directory), region).dark(region)
    say(f"{region} is dark.")


@app.command()
def light(region: str, directory: Directory) -> None:
    """Bring a dark region back, as it was."""
    _known(LocalCloud.attach(directory), region).light(region)
    say(f"{region} is light.")


@app.command()
def calls(
    directory: Directory,
    principal: Annotated[str | None, typer.Option(help="Only calls of identities whose ARN has this in it.")] = None,
    region: Annotated[str | None, typer.Option(help="Only calls to this region.")] = None,
    json: Json = False,
) -> None:
    """Every call that was made: time, caller, service, operation, region, outcome."""
    cloud = LocalCloud.attach(directory)
    found = (_known(cloud, region) if region else cloud).calls(principal=principal, region=region)
    if json:
        print_json({"schema": "pilotlight/calls/1", "calls": found})
        return
    for call in found:
        print(
            f"{call.at:.3f} {call.region:<12} {call.service}:{call.operation:<32} {call.outcome:<24} {call.principal}"
        )


@app.command()
def mail(
    directory: Directory,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="First confirm every subscription that waits for it, as its reader would.")
    ] = False,
    json: Json = False,
) -> None:
    """Every e-mail that SNS delivered in this cloud: to whom, when, what; nothing leaves this machine."""
    cloud = LocalCloud.attach(directory)
    if confirm:
        cloud.confirm()
    found = cloud.mail()
    if json:
        print_json({"schema": "pilotlight/mail/1", "mail": found})
        return
    for each in found:
        print(f"To: {each['to']}\nDate: {each['at']}\nSubject: {each['subject']}\n\n{each['text']}")
    say(f"{len(found)} message(s)" + ("; every subscription is confirmed" if confirm else ""))


def show_access(cloud: LocalCloud) -> None:
    """Print, as shell lines, how any client reaches this cloud."""
    for name, value in cloud.environment().items():
        print(f"export {name}={shlex.quote(value)}")
    status = cloud.status()
    for region, endpoint in status["endpoints"].items():
        dark = "  (dark)" if region in status["dark"] else ""
        print(f"# {region}: --endpoint-url {endpoint}{dark}")
    print(f"# front door: {status['front_door_url']}/<name of a record>/")
    print(f"# folder: {shlex.quote(str(cloud.directory))}")


def _regions(text: str) -> tuple[str, ...]:
    regions = tuple(part.strip() for part in text.split(",") if part.strip())
    if len(set(regions)) < 2:
        raise BadOption(option="--regions", value=text, reason="names fewer than two regions", expected="at least two")
    for each in regions:
        if each not in REGIONS:
            reason = f"{each} is not an AWS region; {nearest(each, REGIONS)}"
            raise BadOption(option="--regions", value=text, reason=reason, expected="regions as AWS names them")
    return regions


def _known(cloud: LocalCloud, region: str) -> LocalCloud:
    served = list(cloud.status()["endpoints"])
    if region not in served:
        raise BadOption(
            option="REGION", value=region, reason="is not served here", expected=f"one of {', '.join(served)}"
        )
    return cloud
