"""EBS volumes behind one tag: the kind volumes."""
