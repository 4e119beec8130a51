"""What series and visits have in common: appointments that are changed together."""
