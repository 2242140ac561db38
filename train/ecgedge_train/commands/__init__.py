"""Subcommands of `ecgedge` that belong to the workshop."""
