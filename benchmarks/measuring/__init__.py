"""What benchmarks share: how they run things, and how they tell what they measured."""
