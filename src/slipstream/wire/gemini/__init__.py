"""Gemini's native `generateContent` as an upstream."""
