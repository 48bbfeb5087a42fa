"""OpenAI Responses: requests, answers and errors in its words, from and to those of `wire.talk`."""
