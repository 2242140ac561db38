"""ecgedge: lightweight ECG classification on the device itself.

Research and education only; not a medical device.
"""

__version__ = "0.1.0"

NOTICE = "Research and education only; not a medical device."
"""Stands wherever an answer is shown."""
