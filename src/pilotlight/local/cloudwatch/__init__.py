"""CloudWatch: alarms that evaluate themselves and act."""
