"""Draft rules over what was, beside the rules in force."""
