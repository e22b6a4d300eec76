"""One report object to HTML and to terminal tables."""
