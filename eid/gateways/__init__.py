"""The world outside: what is asked of other machines, and how little of their answer is believed."""
