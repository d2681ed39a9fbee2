"""Which source of work a URL names, and sources made of others: several as one, a server that announces another.

Start with `open.open_source`. The sources themselves are `miner.stratum`, `miner.node` and `miner.sandbox`.
"""
