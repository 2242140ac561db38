"""Paper ECGs made by code, with their truth: twelve leads, the page they are drawn on, the photo taken of it."""
