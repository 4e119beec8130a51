"""The settings, with one app that has a pending migration."""

from kaivox.settings import *  # noqa: F403
from kaivox.settings import INSTALLED_APPS as _APPS

INSTALLED_APPS = [*_APPS, "tests.drills.pending"]
