"""What concerns people: looked up, told, helped, counted, handed out, forgotten."""
