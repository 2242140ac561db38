"""Conversion: from a trained Keras model to an int8 bundle. May import the core and the training workshop."""
