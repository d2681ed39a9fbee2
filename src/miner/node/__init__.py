"""Mining straight on a node of Bitcoin's family, by getblocktemplate or getwork, with another chain along (AuxPoW).

Start with `client.NodeSource`. It runs a `feed.Feed` (`template_feed`, `getwork_feed`), which calls the node through
`transport.NodeRpc`. What is said and what it means (`jsonrpc`, `http_answer`, `template`, `getwork`, `auxpow`,
`refusals`) is read and written without I/O.
"""
