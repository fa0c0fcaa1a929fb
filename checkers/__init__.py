"""History in, verdict out. Pure functions, each with an oracle in the tests and certificates for its verdicts."""
