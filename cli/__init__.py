"""The tds command, for operators."""
