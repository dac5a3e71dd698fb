"""The real Pulumi engine over the embedded cloud: its command, a file backend in a folder, and its provider: the
stand-in, or the real one where `make test-provider` names it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pulumi import automation

from pilotlight.deploy.command import Command
from pilotlight.deploy.pulumi import Backend, PulumiEngine
from pilotlight.engine.results import Program, Result, Tell, silent
from support.provider_double import serving

HERE = "us-east-1"
PASSPHRASE = "of a test"
PULUMI_VARIABLE = "PILOTLIGHT_PULUMI"
PROVIDER_VARIABLE = "PILOTLIGHT_PROVIDER"
PLUGIN = "pulumi-resource-aws"


def command() -> Path | None:
    """The `pulumi` command: what the variable names, what is on the path, or what the script has built before."""
    named = os.environ.get(PULUMI_VARIABLE) or shutil.which("pulumi")
    if named:
        return Path(named)
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "pilotlight"
    return next(iter(sorted(folder.glob("pulumi-*/pulumi"), reverse=True)), None)


@dataclass
class RealEngine:
    """Stacks of one project; `environment` is what every command of it gets."""

    pulumi: Path
    folder: Path
    environment: dict[str, str]

    def stack(
        self, name: str, program: Callable[[], None], region: str, project: str, config: Mapping[str, str] | None = None
    ) -> automation.Stack:
        """An inline program's stack, made where there is none."""
        settings = automation.ProjectSettings(
            name=project, runtime="python", backend=automation.ProjectBackend(f"file://{self.folder}")
        )
        options = automation.LocalWorkspaceOptions(
            work_dir=str(self._work(project, name)),
            project_settings=settings,
            secrets_provider="passphrase",
            env_vars=self.environment,
            pulumi_command=automation.PulumiCommand(
                root=str(linked(self.pulumi, self.folder)), skip_version_check=True
            ),
        )
        made = automation.create_or_select_stack(name, project_name=project, program=program, opts=options)
        made.set_config("aws:region", automation.ConfigValue(region))
        for key, value in (config or {}).items():
            made.set_config(key, automation.ConfigValue(value))
        return made

    def _work(self, project: str, name: str) -> Path:
        made = self.folder / "work" / project / name
        made.mkdir(parents=True, exist_ok=True)
        return made


@contextmanager
def real_engine(pulumi: Path, folder: Path, provider: Path | None = None) -> Iterator[RealEngine]:
    """One engine with its provider; the provider's AWS calls go where this process's environment points."""
    with provided(folder, provider) as variables:
        yield RealEngine(pulumi, folder, variables)


@contextmanager
def provided(folder: Path, provider: Path | None = None) -> Iterator[dict[str, str]]:
    """The variables of a pulumi with the real provider that is named here or by the environment, else the stand-in."""
    named = provider or os.environ.get(PROVIDER_VARIABLE)
    if named:
        yield environment(folder) | first_on_path(Path(named))
        return
    with serving() as port:
        yield environment(folder, f"aws:{port}")


def first_on_path(provider: Path) -> dict[str, str]:
    """Pulumi takes a plugin that is on the path before any that was installed, whatever its version (pulumi/pulumi,
    sdk/go/common/workspace/plugins.go, GetPluginPath). It inherits the credentials and AWS_ENDPOINT_URL, which AWS's
    SDKs take (AWS SDKs and Tools Reference Guide, "Service-specific endpoints")."""
    if provider.name != PLUGIN or not os.access(provider, os.X_OK):
        raise LookupError(f"{provider} is no {PLUGIN} that can be run; {PROVIDER_VARIABLE} names it")
    return {"PATH": f"{provider.parent}{os.pathsep}{os.environ['PATH']}"}


def environment(folder: Path, providers: str = "") -> dict[str, str]:
    """What pulumi needs to stay in a folder and to ask these providers, which listen already, and no others."""
    attached = {"PULUMI_DEBUG_PROVIDERS": providers} if providers else {}
    return attached | {
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }


def linked(pulumi: Path, folder: Path) -> Path:
    """A root of an installation: the SDK looks for `bin/pulumi` below it."""
    link = folder / "root/bin/pulumi"
    if not link.exists():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(pulumi)
    return folder / "root"


class ThingsEngine(PulumiEngine):
    """The real engine as the embedded one's tests take it: things of a made-up world, states in a folder."""

    def __init__(self, pulumi: Path, folder: Path, port: int) -> None:
        states = folder / "states"
        states.mkdir(exist_ok=True)
        super().__init__(
            project="proj",
            backend=Backend(f"file://{states}", "passphrase"),
            folder=folder / "settings",
            command=Command(str(linked(pulumi, folder))),
            environment=environment(folder, f"test:{port}"),
        )

    def update(self, stack: str, program: Program, config: Mapping[str, str] | None = None, region: str = HERE,
               on_event: Tell = silent) -> Result:  # fmt: skip
        return super().update(stack, program, {"test:region": region, **(config or {})}, region, on_event)

    def preview(self, stack: str, program: Program, config: Mapping[str, str] | None = None, region: str = HERE,
                on_event: Tell = silent) -> Result:  # fmt: skip
        return super().preview(stack, program, {"test:region": region, **(config or {})}, region, on_event)

    def outputs(self, stack: str) -> dict[str, Any]:
        """What the stack exports, secrets revealed."""
        return {name: each.value for name, each in self._open(stack).outputs().items()}


def changes(summary: Mapping[str, int] | None) -> int:
    """Everything of an update's or a preview's summary that is not the same."""
    return sum(count for operation, count in (summary or {}).items() if operation not in ("same", "read"))
