"""Tourism sites: how many people are there, and how many went through the gates."""
