"""All settings, in sections. The only module that reads the environment; .env.example explains each
variable. A value that cannot be read stops the start with one sentence that names it.

Two profiles, one code base: without `DATABASE_URL` everything is embedded (SQLite, quotas in
memory, broker in files under `var/`); with it nothing embedded is used silently.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from redis.backoff import NoBackoff
from redis.retry import Retry

from kaivox.environment import Environment, make_folder

BASE_DIR = Path(__file__).resolve().parent.parent
environ.Env.read_env(BASE_DIR / ".env")
env = Environment(os.environ)

# --- Profile ---------------------------------------------------------------------------------

DATABASE_URL = env.text("DATABASE_URL", "")
REDIS_URL = env.text("REDIS_URL", "")
EMBEDDED = not DATABASE_URL
VAR = Path(env.text("KAIVOX_VAR", str(BASE_DIR / "var"))).resolve()
# What `make up` listens on.
HOST = env.text("HOST", "127.0.0.1")
PORT = env.integer("PORT", 8000, maximum=65_535)

if EMBEDDED:
    make_folder(VAR)
elif not REDIS_URL:
    raise ImproperlyConfigured(
        "REDIS_URL is required when DATABASE_URL is set: quotas kept in one process's memory would "
        "be wrong with several. Set it, for example redis://127.0.0.1:6379/0."
    )

TESTING = "pytest" in sys.modules

# --- Security --------------------------------------------------------------------------------

DEBUG = env.flag("DEBUG", default=False)
SECRET_KEY = env.secret_key(VAR / "secret_key" if EMBEDDED else None)
SECRET_KEY_FALLBACKS = env.items("SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = env.items(
    "ALLOWED_HOSTS", default=["*"] if EMBEDDED else ["localhost", "127.0.0.1"]
)
CSRF_TRUSTED_ORIGINS = env.items("CSRF_TRUSTED_ORIGINS")
TRUSTED_PROXIES = env.integer("TRUSTED_PROXIES", 0, minimum=0)
HTTPS_ONLY = env.flag("HTTPS_ONLY", default=not EMBEDDED and not TESTING)

SECURE_SSL_REDIRECT = HTTPS_ONLY
# A redirect loses the body of a POST, and its key is told in the clear by then: the API has none.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^api(/|$)", r"^voice/"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS_ONLY else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS_ONLY
SECURE_HSTS_PRELOAD = HTTPS_ONLY
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS_ONLY
SESSION_COOKIE_AGE = 8 * 60 * 60
SESSION_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
# The same name and form as Django 6's own setting, so that moving there is one line.
SECURE_CSP = {
    "default-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "style-src": ["'self'", "'unsafe-inline'"],
    "script-src": ["'self'"],
    "object-src": ["'none'"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
    "form-action": ["'self'"],
}
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    "django.contrib.auth.hashers.ScryptPasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/settings"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]

# Whoever can see keys shows a second factor, too.
TWO_FACTOR_REQUIRED = env.flag("TWO_FACTOR_REQUIRED", default=not EMBEDDED)
OTP_TOTP_ISSUER = "KaiVox"
OTP_ADMIN_HIDE_SENSITIVE_DATA = True

# Five wrong passwords for one name from one address: a quarter of an hour's pause.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_CLIENT_IP_CALLABLE = "kaivox.businesses.addresses.address_of_request"
AXES_LOCKOUT_TEMPLATE = "admin/locked_out.html"
AXES_VERBOSE = False

# --- Applications ----------------------------------------------------------------------------

INSTALLED_APPS = [
    "kaivox.apps.KaivoxAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "corsheaders",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "axes",
    "kaivox",
    "kaivox.businesses",
    "kaivox.idempotency",
    "ratelimits",
    "webhooks",
    "services",
    "staff",
    "customers",
    "appointments",
    "calls",
]

MIDDLEWARE = [
    "kaivox.api.middleware.RequestId",
    "kaivox.api.middleware.HeadHasNoBody",
    "kaivox.health.HealthChecks",
    "kaivox.api.middleware.KeyInUrl",
    "django.middleware.security.SecurityMiddleware",
    "kaivox.api.middleware.ContentSecurityPolicy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "kaivox.businesses.cors.BusinessCorsMiddleware",
    "ratelimits.middleware.UnknownCallers",
    "kaivox.businesses.last_use.LastUse",
    "kaivox.api.unchanged.Unchanged",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "kaivox.businesses.second_factor.RequireSecondFactor",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "kaivox.urls"
WSGI_APPLICATION = "kaivox.wsgi.application"
APPEND_SLASH = False  # both spellings are routed: a redirect would lose the body of a POST
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Database --------------------------------------------------------------------------------

# Threads of one web process, each with its own connection to the database.
WEB_THREADS = env.integer("WEB_THREADS", 8, minimum=1)
# Processes of gunicorn, in the production profile.
WEB_PROCESSES = env.integer("WEB_PROCESSES", 2, minimum=1)

DATABASES: dict[str, dict[str, Any]]
if EMBEDDED:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(VAR / "kaivox.sqlite3"),
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "timeout": 20,
                # Every transaction of ours writes: taking the write lock at BEGIN makes writers
                # queue, where a later upgrade would fail with "database is locked".
                "transaction_mode": "IMMEDIATE",
                "init_command": (
                    "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;"
                    "PRAGMA journal_size_limit=67108864;PRAGMA cache_size=-20000;"
                    "PRAGMA mmap_size=134217728"
                ),
            },
            "TEST": {"NAME": str(VAR / f"test-{os.getpid()}.sqlite3")},
        }
    }
else:
    DATABASES = {"default": env.database("DATABASE_URL")}
    DATABASES["default"] |= {
        "ENGINE": "kaivox.postgresql",
        "CONN_MAX_AGE": None,  # each thread keeps its own
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": 3,
            # A server that is cut off in silence: its connections are given up after so long (ms).
            "tcp_user_timeout": 10_000,
            "keepalives_idle": 30,
            # Statements that come again are planned once per connection: planning took as long as
            # running. Behind PgBouncer this needs its 1.21 or newer.
            "server_side_binding": True,
            "prepare_threshold": 3,
            "options": "-c statement_timeout=15s -c lock_timeout=3s"
            " -c idle_in_transaction_session_timeout=30s"
            # Nothing that a test commits need outlive a power cut.
            + (" -c synchronous_commit=off" if TESTING else ""),
        },
    }

# --- Cache and quota store -------------------------------------------------------------------

CACHES: dict[str, dict[str, Any]]
if REDIS_URL:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": REDIS_URL,
            "OPTIONS": {
                "socket_connect_timeout": 0.5,
                "socket_timeout": 0.5,
                "retry": Retry(NoBackoff(), 0),  # redis-py's own ten retries take 4.5 s to fail
            },
        }
    }
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

RATE_LIMIT_SHADOW = env.flag("RATE_LIMIT_SHADOW", default=False)
# What is read in the one query that finds a key, so that no later step asks again.
API_KEY_RELATED = ["business", "business__quota_override"]
# How long what happened in a web process may stay unwritten: when a key was last used, and, without
# Redis, how much a business has used.
KEY_USE_WRITTEN_EVERY_SECONDS = 60.0
USAGE_WRITTEN_EVERY_SECONDS = 10.0
# Gives a new sandbox its demo data: `fill(*, business, now)`. By name, as it knows every app.
SANDBOX_FILLER = "kaivox.demo.fill.fill_sandbox"

# --- Celery ----------------------------------------------------------------------------------

# By name, so that only who speaks to the broker imports it: Celery takes 20 MB and 0.2 s.
TASK_APP = "kaivox.celery.app"

if env.text("CELERY_BROKER_URL", ""):
    CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", "")
elif EMBEDDED:
    CELERY_BROKER_URL = "filesystem://localhost"  # kombu warns of a URL without a host
else:
    CELERY_BROKER_URL = REDIS_URL

_BROKER = urlsplit(CELERY_BROKER_URL).scheme
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any]
if _BROKER == "filesystem":
    _QUEUE = VAR / "broker"
    for _folder in ("queue", "control"):
        make_folder(_QUEUE / _folder)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_QUEUE / "queue"),
        "data_folder_out": str(_QUEUE / "queue"),
        "control_folder": str(_QUEUE / "control"),
        "polling_interval": 0.05,
    }
elif _BROKER.startswith("redis"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "socket_connect_timeout": 0.5,
        "socket_timeout": 1,
        "retry_on_timeout": False,
        "max_retries": 0,
    }
else:
    # Bounds what a publish may take while the broker does not answer. Without confirm_publish
    # RabbitMQ loses accepted messages when it is killed.
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "confirm_publish": True,
        "confirm_timeout": 1,
        "connect_timeout": 0.5,
        "read_timeout": 1,
        "write_timeout": 1,
        "max_retries": 0,
    }
CELERY_BROKER_CONNECTION_TIMEOUT = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_PUBLISH_RETRY = False  # a request never waits for the broker; the sweep sends it later
CELERY_TASK_IGNORE_RESULT = True  # with a result backend .delay() hangs 19 s when Redis is away
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"

# --- Webhooks --------------------------------------------------------------------------------

WEBHOOK_RETRY_SCHEDULE = env.seconds("WEBHOOK_RETRY_SCHEDULE", [30, 300, 3600])
WEBHOOK_ALLOW_PRIVATE = env.flag("WEBHOOK_ALLOW_PRIVATE", default=EMBEDDED)
# Where private receivers are allowed, plain http and any port are too, unless said otherwise.
WEBHOOK_HTTPS_ONLY = env.flag("WEBHOOK_HTTPS_ONLY", default=not WEBHOOK_ALLOW_PRIVATE)
WEBHOOK_PORTS = env.ports("WEBHOOK_PORTS", [] if WEBHOOK_ALLOW_PRIVATE else [443, 8443])
WEBHOOK_CA_FILE = env.text("WEBHOOK_CA_FILE", "")  # a private CA; else certifi's
WEBHOOK_TIMEOUT_SECONDS = env.integer("WEBHOOK_TIMEOUT_SECONDS", 15)
# Requests under way at once in one worker process.
WEBHOOK_SENDERS = env.integer("WEBHOOK_SENDERS", 128)
# How long a worker may take over what it claimed; then another one takes it up.
WEBHOOK_LEASE_SECONDS = env.integer(
    "WEBHOOK_LEASE_SECONDS", WEBHOOK_TIMEOUT_SECONDS + 15, minimum=WEBHOOK_TIMEOUT_SECONDS + 2
)
WEBHOOK_RETENTION_DAYS = env.integer("WEBHOOK_RETENTION_DAYS", 30, minimum=1)

# --- Voice -----------------------------------------------------------------------------------

VOICE_ALLOW_UNSIGNED = env.flag("VOICE_ALLOW_UNSIGNED", default=False)
CALL_ANALYSIS_WAIT_SECONDS = env.integer("CALL_ANALYSIS_WAIT_SECONDS", 60, minimum=0)

# --- Mail ------------------------------------------------------------------------------------

EMAIL_URL = env.text("EMAIL_URL", "")
globals().update(env.email(EMAIL_URL) if EMAIL_URL else {})
if not EMAIL_URL:
    # Letters to businesses land as files where an operator can read them.
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = str(VAR / "mail")
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "KaiVox <no-reply@localhost>")
# Where people reach what listens on HOST.
_NAME = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(  # noqa: S104 - compared, not bound
    HOST, f"[{HOST}]" if ":" in HOST else HOST
)
PUBLIC_URL = env.text("PUBLIC_URL", f"http://{_NAME}:{PORT}").rstrip("/")

# --- REST framework --------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "kaivox.businesses.authentication.HeaderKeyAuthentication",
        "kaivox.businesses.authentication.BearerKeyAuthentication",
        "kaivox.businesses.authentication.QueryKeyAuthentication",
        "kaivox.businesses.browser_keys.BrowserKeyAuthentication",
        "kaivox.businesses.authentication.StaffSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["kaivox.businesses.permissions.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": [
        "ratelimits.throttling.StarterThrottle",
        "ratelimits.throttling.ProThrottle",
        "ratelimits.throttling.EnterpriseThrottle",
    ],
    "DEFAULT_PARSER_CLASSES": ["kaivox.api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": [
        "kaivox.api.renderers.EnvelopeRenderer",
        "kaivox.pages.browsable.BrowsableRenderer",
    ],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "kaivox.api.negotiation.JsonUnlessAskedOtherwise",
    "DEFAULT_PAGINATION_CLASS": "kaivox.api.pagination.Pages",
    "DEFAULT_FILTER_BACKENDS": ["kaivox.api.filters.StrictFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "kaivox.api.schema.EnvelopeSchema",
    "EXCEPTION_HANDLER": "kaivox.api.exceptions.answer_exception",
    "NUM_PROXIES": TRUSTED_PROXIES,
    "UNAUTHENTICATED_USER": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "URL_FORMAT_OVERRIDE": "format",
}

# Called round every POST that carries an Idempotency-Key.
API_POST_HOOK = "kaivox.idempotency.hook.remember"
CSRF_FAILURE_VIEW = "kaivox.urls.csrf_failure"

# --- Web pages that call the API (CORS) -----------------------------------------------------

# Which pages may is each business's to say: kaivox.businesses.cors. Cookies are never sent along.
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_METHODS = ["GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"]
CORS_ALLOW_HEADERS = [
    "accept",
    "authorization",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "x-api-key",
    "x-request-id",
]
CORS_EXPOSE_HEADERS = [
    "ETag",
    "Idempotent-Replayed",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-Request-ID",
]

# --- Language, time, static files ------------------------------------------------------------

LANGUAGE_CODE = "en"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = VAR / "static" if EMBEDDED else BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "templates" / "static"]
# Looked up when asked for, where each test client would list all that is collected first: 0.09 s.
WHITENOISE_AUTOREFRESH = DEBUG or TESTING
if TESTING or DEBUG:
    _STATIC_STORAGE = "django.contrib.staticfiles.storage.StaticFilesStorage"
elif EMBEDDED:
    # Compressing takes ten seconds of the first `make up`, and nothing travels far here.
    _STATIC_STORAGE = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
else:
    _STATIC_STORAGE = "whitenoise.storage.CompressedManifestStaticFilesStorage"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": _STATIC_STORAGE},
}

# --- Logs ------------------------------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "request_id": {"()": "kaivox.api.logs.RequestIdFilter"},
        "no_keys": {"()": "kaivox.api.logs.MaskKeys"},
    },
    "formatters": {
        "line": {
            "()": "kaivox.api.logs.MaskingFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s",
        }
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["request_id", "no_keys"],
        }
    },
    "root": {"handlers": ["stderr"], "level": env.text("LOG_LEVEL", "INFO")},
    "loggers": {
        "django.server": {"handlers": ["stderr"], "propagate": False},
        "urllib3": {"level": "ERROR"},  # what a webhook's receiver does wrong stands in its log
        "axes": {"level": "WARNING"},  # a line at each login says nothing
        "django.security.DisallowedHost": {"level": "CRITICAL"},  # scanners; they get their 400
        "django.request": {"level": "ERROR"},  # a 404 of a client is not our news
    },
}

# --- OpenAPI ---------------------------------------------------------------------------------

SPECTACULAR_SETTINGS = {
    "TITLE": "KaiVox API",
    "VERSION": "1.0.0",
    "SORT_OPERATION_PARAMETERS": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "POSTPROCESSING_HOOKS": [
        "kaivox.api.schema.add_frame",
        "kaivox.schema.introduce",
        "kaivox.schema.add_webhooks",
    ],
}
