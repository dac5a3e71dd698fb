"""What every service stands on: regions and their faults, the pace of time, processes, addresses."""
