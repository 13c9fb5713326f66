"""provision: a bare SSH box becomes a training machine that is proven to work."""

__version__ = "0.1.0"
