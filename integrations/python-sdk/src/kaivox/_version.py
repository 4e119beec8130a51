"""Version of the package, also sent as `User-Agent`."""

VERSION = "1.0.0"
