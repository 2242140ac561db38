"""The report on the bundles of a folder: what each variant of a model costs and what it loses, side by side."""
