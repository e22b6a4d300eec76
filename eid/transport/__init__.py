"""Ways to reach a card: in this process, through PC/SC, behind a virtual reader, from a recorded log."""
