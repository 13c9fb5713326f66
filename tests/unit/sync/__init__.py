"""The pure half of sync: differences, the bytes of a conversation, codecs."""
