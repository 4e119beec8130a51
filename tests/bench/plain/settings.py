"""Settings of a plain stack on our tables: Django's default middleware, REST framework's classes."""

from typing import Any

from kaivox.settings import *  # noqa: F403 - all but what follows

ROOT_URLCONF = "tests.bench.plain.urls"
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["tests.bench.plain.parts.KeyInTheDatabase"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": [
        "tests.bench.plain.parts.MinuteThrottle",
        "tests.bench.plain.parts.DayThrottle",
    ],
    # Not reached, as in our own benchmark. REST framework stores a list of all calls of the window.
    "DEFAULT_THROTTLE_RATES": {"minute": "1000000/min", "day": "1000000/day"},
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "tests.bench.plain.parts.Pages",
    "DEFAULT_FILTER_BACKENDS": [
        "django_filters.rest_framework.DjangoFilterBackend",
        "rest_framework.filters.OrderingFilter",
    ],
}
