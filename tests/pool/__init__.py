"""A real stratum pool for tests: the npm package foundation-stratum in front of a Litecoin node."""
