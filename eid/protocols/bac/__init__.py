"""Basic Access Control (Doc 9303-11 4.3): the MRZ opens the chip. 3DES only, and as weak as the MRZ's entropy."""
