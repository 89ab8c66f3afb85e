"""What runs later: ids in, one service call, commit."""
