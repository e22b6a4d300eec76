"""An application on its way: filed with its papers, reviewed, captured, adjudicated, approved."""
