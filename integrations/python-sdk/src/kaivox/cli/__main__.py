"""`python -m kaivox.cli`, where the command is not on the PATH."""

from kaivox.cli import main

main()
