"""Serves the components of this repository as a Pulumi package; Pulumi starts it (PulumiPlugin.yaml)."""

from importlib.metadata import version

from pulumi.provider.experimental import component_provider_host

from pilotlight.stacks import package

if __name__ == "__main__":
    component_provider_host(package.COMPONENTS, package.NAME, version=version("pilotlight"))
