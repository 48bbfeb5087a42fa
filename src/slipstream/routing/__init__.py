"""The pure choice: a call and its targets become a Plan."""
