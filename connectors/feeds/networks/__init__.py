"""The province's links, its cyber-security centre's alerts, and calls to the national databases."""
