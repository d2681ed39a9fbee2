"""The hub: one source's jobs served again, as stratum, to many miners."""
