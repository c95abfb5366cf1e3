"""Rules as people keep them: saved versions, what is in force in every process, and candidates beside it."""
