"""One file per version, each frozen once it is released."""
