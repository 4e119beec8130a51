"""The appointment list as it is usually built with REST framework: a baseline."""
