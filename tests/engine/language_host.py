"""A test double of `pulumi-language-python`, whose Go module is not published: runs `__main__.py` of a folder.

pulumi starts it from the path, reads its port from its first line and asks it to run programs and plugins. Programs are
run by the server that the SDK has for inline ones; here they come from the folder, as with the real host.
"""

from __future__ import annotations

import os
import runpy
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

NAME = "pulumi-language-python"


class Host(LanguageServer):
    """One project at a time, which is what pulumi starts a host for."""

    def __init__(self, engine: str) -> None:
        super().__init__(lambda: None)
        self._engine = engine

    def InstallDependencies(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802 - the protocol's own name
        """All of it is there: this interpreter's own packages are used."""
        yield language_pb2.InstallDependenciesResponse()

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's own name
        return language_pb2.GetProgramDependenciesResponse()

    def Run(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's own name
        self.program = _main(Path(request.info.program_directory or request.pwd))
        del request.args[:]
        request.args.append(self._engine)
        return super().Run(request, context)

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802 - the protocol's own name
        command = [sys.executable, str(Path(request.info.program_directory) / "__main__.py"), *request.args]
        environment = {**os.environ, **dict(each.partition("=")[::2] for each in request.env)}
        with subprocess.Popen(command, cwd=request.pwd, env=environment, stdout=subprocess.PIPE) as process:
            context.add_callback(process.terminate)
            assert process.stdout
            for line in process.stdout:
                yield language_pb2.RunPluginResponse(stdout=line)
        yield language_pb2.RunPluginResponse(exitcode=process.returncode)


def _main(folder: Path) -> Callable[[], None]:
    def run() -> None:
        sys.path.insert(0, str(folder))
        os.chdir(folder)
        runpy.run_path(str(folder / "__main__.py"), run_name="__main__")

    return run


def install(folder: Path) -> Path:
    """Put it into a folder for the path; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    command = folder / NAME
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__)}" "$@"\n')
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    return folder


def main() -> None:
    """Serve until pulumi ends the process."""
    server = grpc.server(ThreadPoolExecutor(4))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(Host(sys.argv[-1]), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
