"""What bytes say of routing: members of a body, wishes, and what a conversation holds."""
