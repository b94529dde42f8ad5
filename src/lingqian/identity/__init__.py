"""Identity: users, their account class and who is asking."""
