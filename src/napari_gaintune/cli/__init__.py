"""The command line: arguments become settings, reports become lines; no number is computed here."""
