"""What is done to a network before it is converted: fewer channels, zeros, clusters, rounding in view."""
