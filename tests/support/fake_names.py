"""Who and where everything on the small AWS of the tests is."""

from __future__ import annotations

from pilotlight.runtime.naming import Names

ACCOUNT = "123456789012"
PRIMARY, STANDBY = "us-east-1", "us-west-2"
NAMES = Names("inference", ACCOUNT, PRIMARY, STANDBY)
