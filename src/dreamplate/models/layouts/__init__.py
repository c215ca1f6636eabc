"""Tables of other people's checkpoint layouts, one kind a file."""
