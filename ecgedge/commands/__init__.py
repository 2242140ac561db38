"""Subcommands of `ecgedge`, one file each, found through entry points."""
