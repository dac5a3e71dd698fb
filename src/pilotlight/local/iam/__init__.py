"""Who may do what: identities, policies as AWS evaluates them, and what each call needs."""
