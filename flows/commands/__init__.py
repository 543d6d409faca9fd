"""The commands of `gatewright`, a file for each thing a person wants to do."""
