"""Who: users, their account class and status; API keys and their scopes."""
