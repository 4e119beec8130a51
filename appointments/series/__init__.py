"""Series: appointments that repeat."""
