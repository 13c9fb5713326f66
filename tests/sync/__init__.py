"""Sync: trees, the conversation with a host, and what arrives there."""
