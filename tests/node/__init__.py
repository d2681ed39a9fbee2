"""Tests against real nodes, and the helpers that start them."""
