"""Rollups: sums over hours, days, months and zones that the ingest keeps, so that no dashboard scans readings."""
