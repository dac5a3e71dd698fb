"""SNS: messages are delivered, to functions, to HTTP on this machine, to a mailbox."""
