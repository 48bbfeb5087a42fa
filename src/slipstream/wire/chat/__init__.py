"""OpenAI Chat Completions to and from the vocabulary of `wire.talk`."""
