"""Listings of versions as S3 makes them, which read no object.

moto's begins behind the first key that is not below the marker, whatever that key is, and copies each version with its
bytes: with checkpoints in a bucket that is seconds a listing, and the memory of all of them. S3 API reference,
ListObjectVersions: the keys behind `key-marker`, and of that key itself the versions older than `version-id-marker`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from moto.s3.models import FakeKey, S3Backend

from pilotlight.local.kernel.cloud import Behaviour, Cloud
from pilotlight.local.overrides import override


class ListedVersions(Behaviour):
    """Lists what a bucket keeps, and leaves its bytes where they are."""

    name = "listed versions"

    def install(self, cloud: Cloud) -> None:
        super().install(cloud)
        override(S3Backend, list_object_versions=_list_object_versions)


@dataclass
class _Page:
    """What is told, and where the next page begins."""

    entries: list[Any] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    key_marker: str | None = None
    version_marker: str | None = None

    @property
    def size(self) -> int:
        return len(self.entries) + len(self.prefixes)


def _list_object_versions(
    backend: Any,
    bucket_name: str,
    delimiter: str | None = None,
    key_marker: str | None = None,
    max_keys: int | None = 1000,
    prefix: str = "",
    version_id_marker: str | None = None,
) -> tuple[list[Any], list[str], list[Any], str | None, str | None]:
    page, last = _Page(), ("", None)
    found = _found(backend.get_bucket(bucket_name), prefix or "", delimiter, key_marker or "", version_id_marker)
    for name, version in found:
        if max_keys is not None and page.size >= max_keys:
            page.key_marker, page.version_marker = last
            break
        if version is None:
            page.prefixes.append(name)
        else:
            page.entries.append(version)
        last = (name, version.version_id if version is not None else None)
    objects = [each for each in page.entries if isinstance(each, FakeKey)]
    markers = [each for each in page.entries if not isinstance(each, FakeKey)]
    return objects, page.prefixes, markers, page.key_marker, page.version_marker


def _found(
    bucket: Any, prefix: str, delimiter: str | None, key_marker: str, version_marker: str | None
) -> Iterator[tuple[str, Any]]:
    """(key, version) of everything behind the marker, or (what keys begin with, None) where they are told together."""
    told = key_marker
    for name in sorted((each for each in bucket.keys if each.startswith(prefix)), key=str.encode):
        begins = _together(name, prefix, delimiter)
        if name.encode() < key_marker.encode() or (begins and begins == told):
            continue
        if begins:
            told = begins
            yield begins, None
            continue
        versions = [_as_listed(each, at == 0) for at, each in enumerate(reversed(bucket.keys.getlist(name)))]
        if name == key_marker:
            ids = [each.version_id for each in versions]
            versions = versions[ids.index(version_marker) + 1 :] if version_marker in ids else []
        for version in versions:
            yield name, version


def _together(name: str, prefix: str, delimiter: str | None) -> str:
    """What the keys begin with that are told together with this one; empty where it is told alone."""
    if not delimiter or delimiter not in name[len(prefix) :]:
        return ""
    return name[: name.index(delimiter, len(prefix)) + len(delimiter)]


def _as_listed(version: Any, is_latest: bool) -> Any:
    """A version without its bytes; who lists changes nothing of it."""
    if isinstance(version, FakeKey):
        _ = version.etag  # computed from the bytes once, and kept
    made = object.__new__(type(version))
    made.__dict__.update(version.__dict__)
    made.is_latest = is_latest
    if isinstance(version, FakeKey):
        del made.__dict__["_value_buffer"]  # else the bytes would be closed with the copy
        made.multipart, made.disposed = None, True
    return made
