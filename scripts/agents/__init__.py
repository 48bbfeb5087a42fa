"""Real coding agents, run against a gateway whose models the scripted upstream plays."""
