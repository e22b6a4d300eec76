"""One file per resource; each parses, calls the service and renders."""
