"""EventBridge Scheduler: schedules that fire by themselves."""
