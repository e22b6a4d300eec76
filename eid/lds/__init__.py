"""The Logical Data Structure (Doc 9303-10): the files of a document's chip as values. Nothing here verifies a signature."""
