"""What leaves the program: bundles, label maps, pictures and exchange formats."""
