"""The real Pulumi engine over the embedded cloud: its command, a file backend in a folder, the stand-in provider."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pulumi import automation
from stand_in import serving

PASSPHRASE = "of a test"
PULUMI_VARIABLE = "PILOTLIGHT_PULUMI"


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
            pulumi_command=automation.PulumiCommand(root=str(self._root()), skip_version_check=True),
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

    def _root(self) -> Path:
        """The SDK looks for `bin/pulumi` below a root."""
        link = self.folder / "root/bin/pulumi"
        if not link.exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(self.pulumi)
        return self.folder / "root"


@contextmanager
def real_engine(pulumi: Path, folder: Path) -> Iterator[RealEngine]:
    """One engine with its provider; the provider's AWS calls go where this process's environment points."""
    with serving() as port:
        environment = {
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_DEBUG_PROVIDERS": f"aws:{port}",
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }
        yield RealEngine(pulumi, folder, environment)


def changes(summary: Mapping[str, int] | None) -> int:
    """Everything of an update's or a preview's summary that is not the same."""
    return sum(count for operation, count in (summary or {}).items() if operation not in ("same", "read"))
