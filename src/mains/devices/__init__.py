"""Devices: the meters of a utility, by the numbers that files and people name them by, and where each hung when.

Nouns: a meter; an installation is a meter at a service point from one instant to another. Verbs: register_meters, install_meter, remove_meter.
Reads: meters_by_number, installations_of.

What holds: a meter number is one meter in a utility; a meter hangs at one service point at a time.
"""
