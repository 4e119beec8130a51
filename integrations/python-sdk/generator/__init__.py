"""Makes the source of `kaivox._generated`: a module for each module that it makes."""
