"""Run directory in, artefact out: HTML page, terminal text, JUnit XML."""
