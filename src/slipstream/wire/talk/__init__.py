"""A request and an answer in no dialect's words: what every reader makes and every writer takes."""
