"""OpenAI text completions as a client's dialect over upstreams that chat."""
