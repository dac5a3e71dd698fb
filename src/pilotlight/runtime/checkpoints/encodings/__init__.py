"""What formats are written in: archives, pickles, protocol buffers, compressed blocks, windows onto large files."""
