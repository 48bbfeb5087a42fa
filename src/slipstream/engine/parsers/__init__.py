"""Parts an answer into text, reasoning and calls of functions, as its text grows."""
