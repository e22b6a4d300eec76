"""Who is calling: applicants, tokens of staff and systems, requests sent again."""
