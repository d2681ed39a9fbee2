"""Sources of work made of others: which one a URL means, several as one, and a server that announces another.

Start with `open.open_source`. The sources themselves are `miner.stratum`, `miner.node` and `miner.sandbox`.
"""
