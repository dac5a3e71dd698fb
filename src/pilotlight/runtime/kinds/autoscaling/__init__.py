"""Auto Scaling groups: what software they run, instances from the point, up, in service, and down."""
