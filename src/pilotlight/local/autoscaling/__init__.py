"""Auto Scaling: groups that launch, with every setting that they are given."""
