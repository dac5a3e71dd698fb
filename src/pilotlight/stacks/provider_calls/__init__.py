"""What Pulumi's AWS provider asks of AWS for each type that the stacks make: to create, read, update and delete it, and
to wait, in order, each with the file and function of the provider that it was read in.

Pulumi's provider is terraform-provider-aws behind a bridge: pulumi-aws 7 carries its 6.x. Its sources were read in
stored copies of hashicorp/terraform-provider-aws, whose versions differ from file to file: `Seen.version` says which
major version each was of, 6 for about half of them. What no stored copy showed is in `believed`. Tags are read by an
interceptor around each handler where the handler has not set them, and changed before it (internal/provider/sdkv2/
tags_interceptor.go).

Beside the people's policies: every operation here is allowed to who deploys (tests/stacks/test_provider_calls.py), and
the stand-in for the provider makes them, in this order, but for what is `apart` (tests/deploy/test_calls_in_order.py).
A deployment by the embedded engine makes fewer: it asks what it needs.
Start reading at calls.py.
"""

from __future__ import annotations

from pilotlight.stacks.provider_calls import network, reactions, storage
from pilotlight.stacks.provider_calls.calls import Calls

TABLE: dict[str, Calls] = storage.TABLE | network.TABLE | reactions.TABLE
