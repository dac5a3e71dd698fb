"""Auto Scaling groups: the kind compute."""
