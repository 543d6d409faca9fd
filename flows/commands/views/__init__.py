"""How the commands show what they found: records in, text and tables for a terminal out. Nothing is decided here."""
