"""Clearing: a channel's bills against our own books, line by line, until a day can be closed."""
