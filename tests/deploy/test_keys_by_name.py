"""A key that was named by its alias and comes back as an ARN is the same key: an `up` that replaces a database over it
loses the database."""

from __future__ import annotations

import pytest

from pilotlight.engine.resources.shape import key_as_wanted, unlike

ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
ARN = f"arn:aws:kms:us-west-2:123456789012:key/{ID}"
OTHER = "arn:aws:kms:us-west-2:123456789012:key/other"


@pytest.mark.parametrize(
    "wanted", ["alias/pilotlight", "arn:aws:kms:us-west-2:123456789012:alias/pilotlight", ID, ARN], ids=str
)
def test_a_key_is_the_same_by_each_of_its_names(wanted: str) -> None:
    assert unlike({"kmsKeyId": wanted}, {"kmsKeyId": key_as_wanted(wanted, ARN)}) == {}


@pytest.mark.parametrize("wanted", [OTHER, "other"])
def test_another_key_is_told(wanted: str) -> None:
    assert unlike({"kmsKeyId": wanted}, {"kmsKeyId": key_as_wanted(wanted, ARN)}) == {"kmsKeyId": ARN}


def test_a_key_that_is_gone_is_told_however_it_was_named() -> None:
    assert unlike({"kmsKeyId": "alias/pilotlight"}, {"kmsKeyId": key_as_wanted("alias/pilotlight", None)}) != {}
