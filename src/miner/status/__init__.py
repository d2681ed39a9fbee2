"""The web page, the HTTP API and the metrics of a run (`--status`): read only, in a thread of their own. All figures
come from `miner.front.facts`; aiohttp and prometheus-client come with the extra `status`."""
