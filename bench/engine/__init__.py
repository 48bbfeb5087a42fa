"""Measures the embedded engine beside others that run the same model on the same CPU.

Each contestant is a process of its own that loads the model once and answers lines of JSON; the
measuring process asks them in turns. Contestants live in environments of their own under .bench/.
"""
