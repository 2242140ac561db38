"""The agent's web page, its JSON interface and its PDF reports: served from this machine alone, nothing fetched."""
