"""What a bundle needs for where it will run: a Pi, an Edge TPU, a microcontroller."""
