"""The program that runs on the device: sources, the loop, the store, reports. Knows nothing of TensorFlow."""
