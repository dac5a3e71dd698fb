"""Traffic: the front door's answer, and the metric that moves it."""
