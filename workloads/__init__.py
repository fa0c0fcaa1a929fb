"""What clients do to the system: generator, operations wanted, checkers and final reads; one file each."""
