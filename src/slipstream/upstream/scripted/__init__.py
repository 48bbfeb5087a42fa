"""The scripted upstream: a model provider that says and breaks what a test asks for.

Tests open one with `slipstream.upstream.scripted.server.scripted_upstream`; users start it with
`slipstream mock`. It speaks HTTP over a raw protocol of its own, because it decides every byte.
"""
