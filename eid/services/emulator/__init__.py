"""Virtual cards in files, put into a reader, watched."""
