"""Training: data, losses, augmentation, averaging, mixed precision, several processes, measures."""
