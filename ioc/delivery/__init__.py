"""Telling departments: signed webhooks to guarded destinations."""
