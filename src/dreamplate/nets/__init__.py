"""Networks and building blocks that two or more families use."""
