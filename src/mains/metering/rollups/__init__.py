"""Sums by zone over quarters of an hour, hours, days and months that every path that stores readings keeps current, so that no dashboard scans readings.

`summing` adds readings up (numpy; no database), `places` says which sum a channel's readings belong to, `operations` posts what a transaction added, makes days anew and
compares them with the readings. Where and how the sums are kept is in schema.sql.
"""
