"""Lambda: functions run the archive that was deployed, in processes of their own."""
