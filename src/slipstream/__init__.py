"""One endpoint in front of every model: a gateway and a small model server."""

__version__ = "0.1.0"
