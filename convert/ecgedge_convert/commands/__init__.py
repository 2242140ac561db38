"""Subcommands of `ecgedge` that belong to conversion."""
