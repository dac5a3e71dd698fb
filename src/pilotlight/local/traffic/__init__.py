"""What brings requests to instances: Route 53, health checks, load balancers, the front door."""
