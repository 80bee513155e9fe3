"""The utilities of the installation, where they serve, and what carries the service.

Nouns: a utility is a tenant; a service zone is a part of its territory; an infrastructure asset is a piece of equipment with its life, condition and ratings; a node is a
point of the network, an edge joins two of them from when to when, a switch state says whether a switchable edge stood open; the energised tree is what follows from those
three; a weather station has observations and forecasts, low in the house because readings, outages, load and equipment all lean on it. Electric, gas, water and telecom
networks live in the same tables.
Verbs planned: found_utility, import_network, switch, retrace, retire_asset. Reads: assets_in, trace_up, trace_down, isolate, integrity_report.

What holds: one edge of a name at a time, one state of a switch at a time; a node has at most one feeder, or it is dead, or it is flagged looped; the tree is derived and
never edited; a peak that was once served (`peak_load_mw`) is not a limit (`capacity_mw`, `ratings`).
"""
