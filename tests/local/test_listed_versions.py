"""What a user loses when one of these fails: objects whose bytes are gone, or other ones, once they were listed."""

from __future__ import annotations

import gc
import warnings
from pathlib import Path

from pilotlight.local.s3.listed_versions import ListedVersions
from pilotlight.local.wire.buckets import find_bucket
from support.data_cloud import WEST, buckets, client, running


def test_versions_that_were_listed_are_whole_afterwards(tmp_path: Path) -> None:
    with running(tmp_path, [*buckets(), ListedVersions()]) as cloud:
        s3 = client(cloud, "s3", WEST)
        s3.create_bucket(Bucket="listed", CreateBucketConfiguration={"LocationConstraint": WEST})
        s3.put_bucket_versioning(Bucket="listed", VersioningConfiguration={"Status": "Enabled"})
        for body in (b"older", b"newer than it"):
            s3.put_object(Bucket="listed", Key="a", Body=body)
        upload = s3.create_multipart_upload(Bucket="listed", Key="b")["UploadId"]
        part = s3.upload_part(Bucket="listed", Key="b", UploadId=upload, PartNumber=1, Body=b"in parts")
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        s3.complete_multipart_upload(Bucket="listed", Key="b", UploadId=upload, MultipartUpload=parts)
        s3.put_object(Bucket="listed", Key="c", Body=b"deleted")
        s3.delete_object(Bucket="listed", Key="c")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            told = s3.list_object_versions(Bucket="listed")
            gc.collect()
        sizes = [(each["Key"], each["Size"], each["IsLatest"]) for each in told["Versions"]]
        assert sizes == [("a", 13, True), ("a", 5, False), ("b", 8, True), ("c", 7, False)]
        assert [(each["Key"], each["IsLatest"]) for each in told["DeleteMarkers"]] == [("c", True)]
        kept = [
            s3.get_object(Bucket="listed", Key=each["Key"], VersionId=each["VersionId"])["Body"].read()
            for each in told["Versions"]
        ]
        assert kept == [b"newer than it", b"older", b"in parts", b"deleted"]


def test_a_listing_reads_no_object(tmp_path: Path) -> None:
    with running(tmp_path, [*buckets(), ListedVersions()]) as cloud:
        s3 = client(cloud, "s3", WEST)
        s3.create_bucket(Bucket="unread", CreateBucketConfiguration={"LocationConstraint": WEST})
        s3.put_object(Bucket="unread", Key="a", Body=b"12345")
        kept = find_bucket("unread").keys["a"]
        kept._value_buffer.seek(3)
        s3.list_object_versions(Bucket="unread")
        assert kept._value_buffer.tell() == 3
