"""Password Authenticated Connection Establishment (Doc 9303-11 4.4): a short password opens a strong session."""
