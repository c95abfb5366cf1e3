"""Administrative procedures: cases and their states, fees, ratings; applicants stay outside."""
