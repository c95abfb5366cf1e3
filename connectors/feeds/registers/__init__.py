"""The registers of the programme: tasks, indicators, training, milestones."""
