"""Data from before anybody thought of protection: corpus shards, and one finished checkpoint with its row.

Environment as trainer.py.
"""

import os
import random

from fence import client
from trainer import FOLDER, Trainer, checkpoint, digest

CORPUS_OBJECTS = 40
BYTES_PER_OBJECT = 20_000
FIRST_STEP = 0


def main() -> None:
    """Upload and register; runs once."""
    rng = random.Random(int(os.environ.get("SEED", "0")))
    objects = client("s3", os.environ["REGION"])
    for number in range(CORPUS_OBJECTS):
        objects.put_object(
            Bucket=os.environ["CORPUS_BUCKET"],
            Key=f"shards/part-{number:05d}.bin",
            Body=rng.randbytes(BYTES_PER_OBJECT),
            Metadata={"part": str(number)},
            ContentType="application/octet-stream",
        )
    trainer = Trainer()
    files = checkpoint(FIRST_STEP, trainer.seed)
    folder = f"{FOLDER}{FIRST_STEP:06d}/"
    for name, body in files.items():
        objects.put_object(Bucket=trainer.bucket, Key=folder + name, Body=body)
    trainer.register(FIRST_STEP, f"s3://{trainer.bucket}/{folder}", digest(files))
    trainer.log.write("registered", step=FIRST_STEP, sha256=digest(files))


if __name__ == "__main__":
    main()
