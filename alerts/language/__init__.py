"""What a rule says: read from files with every fault named, its conditions' words, windows and formulas."""
