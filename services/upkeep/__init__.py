"""What the keeper folds, tells and throws away."""
