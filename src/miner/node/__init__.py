"""Mining straight on a node, by getblocktemplate."""
