"""The Logical Data Structure (Doc 9303-10): a chip's files as values. Nothing here verifies a signature."""
