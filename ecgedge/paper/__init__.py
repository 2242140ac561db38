"""Paper ECGs: from a photo to a flat page, from a page to signals in millivolts, and back again (simulation)."""
