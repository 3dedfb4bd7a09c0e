"""What is looked at: who watches, what a look may write, what belongs to nobody."""
