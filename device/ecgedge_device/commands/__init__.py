"""The subcommands of `ecgedge-agent`, one module each."""
