"""The same list as most would build it with REST framework: what ours is measured against."""
