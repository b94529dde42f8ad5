"""Risk: verdicts and the rules that give them; an empty set of rules allows."""
