"""The ASGI side: authenticate, parse, call, encode; errors in the caller's dialect."""
