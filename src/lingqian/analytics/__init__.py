"""Behaviour: steps people take towards a top-up, the funnel they make, and who is about to pay."""
