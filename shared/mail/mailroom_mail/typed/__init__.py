"""What the person typed: the text without quotation and signature."""
