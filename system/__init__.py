"""What Berth needs from the operating system: users, PostgreSQL's programs, processes."""
