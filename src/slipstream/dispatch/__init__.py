"""Carries a Plan out: attempts, the commit point, deadlines, cancellation."""
