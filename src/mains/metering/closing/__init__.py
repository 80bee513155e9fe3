"""Closed months: the dense tier under row-level security, and the Parquet archive."""
