"""Electronic stamps: ordered, issued, spent."""
