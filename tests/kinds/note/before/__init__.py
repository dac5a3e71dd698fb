"""An SSM parameter that is copied: the kind note."""
