"""Steps from an empty database to the newest tables, run in order."""
