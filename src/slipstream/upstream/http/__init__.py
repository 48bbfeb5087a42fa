"""Our own HTTP/1.1 client on asyncio and httptools: the upstream connection.

    client ─▶ pool (one per origin) ─▶ connection (one socket) ─▶ exchange (one request)

It knows HTTP and TLS. It does not know providers, dialects, retries of a call or billing.
"""
