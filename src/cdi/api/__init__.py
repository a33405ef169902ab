"""The vocabulary: kinds, annotations, conditions, quantities, the work order. Imports nothing."""
