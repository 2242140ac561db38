"""Workshop I: from public data and a recipe to a trained model."""
