"""What all floors share: recipes and their catalogue, errors, devices, seeds, paths."""
