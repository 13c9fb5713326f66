"""The time limits of a connection, in seconds: every phase has one, so that nothing can hang."""

CONNECT = 10.0
BANNER = 15.0
AUTHENTICATION = 20.0
CHANNEL = 15.0

HEARTBEAT = 10.0
"""Between two signs of life."""
SILENCE = 35.0
"""Without an answer to a sign of life for so long, the peer counts as frozen."""

WINDOW = 16 << 20
"""Bytes in flight towards us: 2 MiB, the default, caps a 100 ms link near 20 MB/s."""
PACKET = 32768

HANDSHAKES = 8
"""At once per server or jump host: OpenSSH begins to drop connections at ten (MaxStartups)."""

KEEPALIVE_IDLE = 15
KEEPALIVE_INTERVAL = 5
KEEPALIVE_COUNT = 3
USER_TIMEOUT_MS = 30_000
