"""Validation, estimation and editing of readings (VEE)."""
