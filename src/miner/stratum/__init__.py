"""Stratum version 1: the language of pools, both ends."""
