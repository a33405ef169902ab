"""What bytes mean: the disk formats that are read natively, and the inspector in front of all."""
