"""What makes a checkpoint complete, format by format, judged where it will be needed.

Takes: a Reader (a listing and ranged reads). Makes: Verdicts. May touch: the standard library, and a Reader's source.
Never unpickles, never inflates what a file claims. Start reading at: verify.py. format.py has the words, claims.py says
which files are which checkpoint; one file a format (docs/reference/checkpoints.md says what each proves); below them
pickles.py and zips.py for PyTorch's files, ocdbt.py and zstd.py for Orbax's, bundle.py and sstable.py for TensorFlow's,
hdf5.py for Keras'; windows.py and protobuf.py read large files by their structure.
"""
