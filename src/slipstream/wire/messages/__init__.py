"""Anthropic Messages: requests, answers and errors, from and to the words of `wire.talk`."""
