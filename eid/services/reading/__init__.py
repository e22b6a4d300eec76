"""Cards read at a terminal, and what they say in words."""
