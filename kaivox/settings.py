"""All settings, in sections. The only module that reads the environment; .env.example documents each
variable. A value that cannot be parsed stops the start with one sentence that names it.

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
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from kaivox.environment import Environment, make_folder
from kaivox.service_urls import kombu_url

BASE_DIR = Path(__file__).resolve().parent.parent
environ.Env.read_env(BASE_DIR / ".env")
env = Environment(os.environ)

# --- Profile ---------------------------------------------------------------------------------

DATABASE_URL = env.text("DATABASE_URL", "")
REDIS_URL = env.redis("REDIS_URL")
EMBEDDED = not DATABASE_URL
DATA_DIR = Path(env.text("KAIVOX_VAR", str(BASE_DIR / "var"))).resolve()
# What `make up` listens on.
HOST = env.address("HOST", "127.0.0.1")
PORT = env.integer("PORT", 8000, maximum=65_535)

if EMBEDDED:
    # Database, secret key, broker and mail are for this user alone.
    os.umask(0o077)
    make_folder(DATA_DIR)
elif not REDIS_URL:
    raise ImproperlyConfigured(
        "REDIS_URL is required when DATABASE_URL is set: quotas counted in the memory of one process "
        "would be wrong with several. Set it, for example redis://127.0.0.1:6379/0."
    )

TESTING = "pytest" in sys.modules

# --- Security --------------------------------------------------------------------------------

DEBUG = env.flag("DEBUG", default=False)
SECRET_KEY = env.secret_key(DATA_DIR / "secret_key" if EMBEDDED else None)
SECRET_KEY_FALLBACKS = env.items("SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = env.hosts(
    "ALLOWED_HOSTS", default=["*"] if EMBEDDED else ["localhost", "127.0.0.1"]
)
CSRF_TRUSTED_ORIGINS = env.origins("CSRF_TRUSTED_ORIGINS")
TRUSTED_PROXIES = env.integer("TRUSTED_PROXIES", 0, minimum=0)
HTTPS_ONLY = env.flag("HTTPS_ONLY", default=not EMBEDDED and not TESTING)

SECURE_SSL_REDIRECT = HTTPS_ONLY
# API clients get a 403 instead (kaivox.api.middleware.HttpsOnly): a redirect would lose the body of a
# POST. Load balancers and Prometheus probe over http.
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)/?$", r"^(api|voice|mcp)(/|$)"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS_ONLY else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS_ONLY
# Browsers compile the preload list in, and removal takes months, so this is the operator's choice.
SECURE_HSTS_PRELOAD = env.flag("HSTS_PRELOAD", default=False)
SILENCED_SYSTEM_CHECKS = [
    "security.W021",  # warns where HSTS_PRELOAD is off
    "models.W040",  # SQLite ignores the additional columns of PostgreSQL's covering indexes
]
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS_ONLY
SESSION_COOKIE_AGE = 8 * 60 * 60
SESSION_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
# Name and format of Django 6's own setting, so that the upgrade deletes our middleware and no more.
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
    "ratelimits.logins.PasswordBackend",
]

# Two-factor authentication for everyone who can see API keys.
TWO_FACTOR_REQUIRED = env.flag("TWO_FACTOR_REQUIRED", default=not EMBEDDED)
OTP_TOTP_ISSUER = "KaiVox"
OTP_ADMIN_HIDE_SENSITIVE_DATA = True

# Five failed logins for one user name from one address lock the pair for 15 minutes.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_CLIENT_IP_CALLABLE = "kaivox.businesses.auth.client_ip.address_of_request"
AXES_LOCKOUT_TEMPLATE = "pages/locked_out.html"
AXES_VERBOSE = False
# Retention of the audit log and of the admin's log entries.
AUDIT_RETENTION_DAYS = env.integer("AUDIT_RETENTION_DAYS", 730, minimum=1)

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
    "kaivox.request_log",
    "ratelimits",
    "webhooks",
    "services",
    "appointments.resources",
    "staff",
    "customers",
    "appointments",
    "calls",
]

MIDDLEWARE = [
    "kaivox.api.middleware.ScrubQueryApiKey",
    "kaivox.server.metrics.Metrics",
    "kaivox.api.middleware.RequestIdMiddleware",
    "kaivox.api.middleware.StripHeadBody",
    "django.middleware.security.SecurityMiddleware",
    "kaivox.api.middleware.SecurityHeaders",
    "kaivox.server.health.HealthChecks",
    "kaivox.api.middleware.HttpsOnly",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "kaivox.businesses.auth.cors.BusinessCorsMiddleware",
    "ratelimits.middleware.RateLimitMiddleware",
    "kaivox.request_log.middleware.RequestLog",
    "kaivox.businesses.auth.last_used.TrackKeyUsage",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "kaivox.businesses.auth.second_factor.RequireSecondFactor",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

if EMBEDDED:
    MIDDLEWARE.insert(
        MIDDLEWARE.index("kaivox.server.health.HealthChecks"), "kaivox.api.compression.Compress"
    )

ROOT_URLCONF = "kaivox.urls"
WSGI_APPLICATION = "kaivox.wsgi.application"
APPEND_SLASH = False  # both spellings are routed, as a redirect would lose the body of a POST
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
            "NAME": str(DATA_DIR / "kaivox.sqlite3"),
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "timeout": 20,
                # Every transaction of ours writes. Acquiring the write lock at BEGIN queues the
                # writers; upgrading a read lock later fails with "database is locked".
                "transaction_mode": "IMMEDIATE",
                "init_command": (
                    "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;"
                    "PRAGMA journal_size_limit=67108864;PRAGMA cache_size=-20000;"
                    # Deleted rows are overwritten, so that erased personal data leaves the file too.
                    "PRAGMA mmap_size=134217728;PRAGMA secure_delete=ON"
                ),
            },
            "TEST": {"NAME": str(DATA_DIR / f"test-{os.getpid()}.sqlite3")},
        }
    }
else:
    # Client-side limit of one statement, for a server that accepts connections but does not respond.
    # Longer than statement_timeout, by which a working server ends the statement.
    DATABASE_PATIENCE_SECONDS = 18.0
    DATABASES = {"default": env.database("DATABASE_URL")}
    # Parameters of the URL override the defaults below.
    _IN_URL = DATABASES["default"]["OPTIONS"]
    DATABASES["default"] |= {
        "ENGINE": "kaivox.db.postgresql",
        "CONN_MAX_AGE": None,  # one persistent connection per thread (docs/decisions/0074)
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": 3,
            # In ms. Without it a connection whose peer vanished without a FIN blocks for 15 minutes.
            "tcp_user_timeout": 10_000,
            "keepalives_idle": 30,
            # Repeated statements are planned once per connection: planning took as long as
            # execution. Behind PgBouncer this needs version 1.21 or newer.
            "server_side_binding": True,
            "prepare_threshold": 3,
            "options": "-c statement_timeout=15s -c lock_timeout=3s"
            " -c idle_in_transaction_session_timeout=30s"
            # Test data need not survive a power failure.
            + (" -c synchronous_commit=off" if TESTING else "")
            + f" {_IN_URL.pop('options', '')}".rstrip(),
            **_IN_URL,
        },
    }

    if env.flag("DATABASE_POOLED", default=False):
        # In transaction mode each transaction may run in another session, so session state cannot be
        # used. PgBouncer rejects the startup parameter `options`; set the limits on the role instead
        # (.env.example).
        del DATABASES["default"]["OPTIONS"]["options"]
        DATABASES["default"]["OPTIONS"]["prepare_threshold"] = None
        DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = True

# --- Cache and quota store -------------------------------------------------------------------

# Quotas (`kaivox.redis`) and Django's cache are both used within requests: short timeouts, and one
# retry, at once, for a connection that was closed while idle. redis-py's default of ten retries takes
# 4.5 s to fail.
REDIS_TIMEOUT_SECONDS = 0.09  # an outage adds at most 100 ms to a request
REDIS_CLIENT_OPTIONS: dict[str, Any] = {
    "socket_connect_timeout": REDIS_TIMEOUT_SECONDS,
    "socket_timeout": REDIS_TIMEOUT_SECONDS,
    "retry": Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
    "protocol": 2,
    "driver_info": None,  # saves two round trips for each new connection
}

CACHES: dict[str, dict[str, Any]]
if REDIS_URL:
    CACHES = {
        "default": {
            "BACKEND": "kaivox.redis.Cache",
            "LOCATION": REDIS_URL,
            "OPTIONS": {"serializer": "kaivox.redis.SignedSerializer"},
        }
    }
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

RATE_LIMIT_SHADOW = env.flag("RATE_LIMIT_SHADOW", default=False)
# How long a web process may buffer before it writes to the database: the last use of API keys, and,
# without Redis, the usage of businesses.
KEY_USE_FLUSH_SECONDS = 60.0
USAGE_FLUSH_SECONDS = 10.0

# Retention of the request log; 0: requests are not logged.
REQUEST_LOG_DAYS = env.integer("REQUEST_LOG_DAYS", 7, minimum=0)
# How long a web process may buffer entries of the request log.
REQUEST_LOG_FLUSH_SECONDS = 1.0

# --- Celery ----------------------------------------------------------------------------------

# A dotted path, so that only code that publishes imports Celery, which costs 20 MB and 0.2 s.
CELERY_APP = "kaivox.celery.app"

if env.broker("CELERY_BROKER_URL"):
    CELERY_BROKER_URL = env.broker("CELERY_BROKER_URL")
elif EMBEDDED:
    CELERY_BROKER_URL = "filesystem://localhost"  # kombu logs a warning for a URL without a host
else:
    CELERY_BROKER_URL = REDIS_URL
try:
    CELERY_BROKER_URL, _BROKER_OPTIONS = kombu_url(CELERY_BROKER_URL)
except ValueError as error:
    raise ImproperlyConfigured(f"CELERY_BROKER_URL is required: {error}.") from error

_BROKER = urlsplit(CELERY_BROKER_URL).scheme
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any]
if _BROKER == "filesystem":
    _QUEUE = DATA_DIR / "broker"
    for _folder in ("queue", "control"):
        make_folder(_QUEUE / _folder)
    # The worker's timer thread sleeps for so long at most, and is waited for when the worker stops.
    CELERY_WORKER_TIMER_PRECISION = 0.2
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_QUEUE / "queue"),
        "data_folder_out": str(_QUEUE / "queue"),
        "control_folder": str(_QUEUE / "control"),
        "polling_interval": 0.1,
    }
elif _BROKER.startswith(("redis", "sentinel")):
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        **_BROKER_OPTIONS,
        "socket_connect_timeout": 0.5,
        "socket_timeout": 1,
        "retry_on_timeout": False,
        "max_retries": 0,
    }
else:
    # Bounds a publish while the broker does not respond. Without confirm_publish RabbitMQ loses
    # accepted messages when it is killed.
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
CELERY_TASK_PUBLISH_RETRY = False  # a request never waits for the broker; the sweep delivers later
CELERY_TASK_IGNORE_RESULT = True  # with a result backend .delay() hangs 19 s when Redis is down
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# After a reconnect Celery lowers the prefetch count, and a thread of the pool raises it again on the
# connection that the main thread reads. In about one reconnect of ten the main thread then spins.
CELERY_WORKER_ENABLE_PREFETCH_COUNT_REDUCTION = False
# In memory: every periodic task may run late, so a run missed while beat was down needs no record.
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"
CELERY_TIMEZONE = "UTC"

# --- Webhooks --------------------------------------------------------------------------------

WEBHOOK_RETRY_SCHEDULE = env.seconds("WEBHOOK_RETRY_SCHEDULE", [30, 300, 3600], at_most=3)
WEBHOOK_ALLOW_PRIVATE = env.flag("WEBHOOK_ALLOW_PRIVATE", default=EMBEDDED)
# Where private receivers are allowed, plain http and any port are too, unless set explicitly.
WEBHOOK_HTTPS_ONLY = env.flag("WEBHOOK_HTTPS_ONLY", default=not WEBHOOK_ALLOW_PRIVATE)
WEBHOOK_PORTS = env.ports("WEBHOOK_PORTS", [] if WEBHOOK_ALLOW_PRIVATE else [443, 8443])
WEBHOOK_CA_FILE = env.file("WEBHOOK_CA_FILE")  # a private CA; default: certifi's bundle
WEBHOOK_TIMEOUT_SECONDS = env.integer("WEBHOOK_TIMEOUT_SECONDS", 15)
# Concurrent webhook requests of one worker process.
WEBHOOK_SENDERS = env.integer("WEBHOOK_SENDERS", 128)
# Lease of a claimed delivery; when it expires, another worker may claim the delivery.
WEBHOOK_LEASE_SECONDS = env.integer(
    "WEBHOOK_LEASE_SECONDS", WEBHOOK_TIMEOUT_SECONDS + 15, minimum=WEBHOOK_TIMEOUT_SECONDS + 2
)
WEBHOOK_RETENTION_DAYS = env.integer("WEBHOOK_RETENTION_DAYS", 30, minimum=1)

# --- Calendars of busy times -----------------------------------------------------------------

# How often a calendar elsewhere is read.
BUSY_CALENDAR_SECONDS = env.integer("BUSY_CALENDAR_SECONDS", 900, minimum=60)

# --- Waiting list ----------------------------------------------------------------------------

# How long a freed time is held for the customer to whom it is offered.
WAITLIST_OFFER_SECONDS = env.integer("WAITLIST_OFFER_SECONDS", 1800, minimum=60)

# --- Voice -----------------------------------------------------------------------------------

VOICE_ALLOW_UNSIGNED = env.flag("VOICE_ALLOW_UNSIGNED", default=False)
# Per provider account, so that one business with long transcripts cannot slow the others.
VOICE_MESSAGES_PER_MINUTE = env.integer("VOICE_MESSAGES_PER_MINUTE", 1200, minimum=1)
CALL_ANALYSIS_WAIT_SECONDS = env.integer("CALL_ANALYSIS_WAIT_SECONDS", 60, minimum=0)

# --- Mail ------------------------------------------------------------------------------------

_MAIL = env.mail_server("EMAIL_URL")
if _MAIL is None:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = str(DATA_DIR / "mail")
else:
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST = _MAIL.host
    EMAIL_PORT = _MAIL.port
    EMAIL_HOST_USER = _MAIL.user
    EMAIL_HOST_PASSWORD = _MAIL.password
    EMAIL_USE_TLS = _MAIL.starttls
    EMAIL_USE_SSL = _MAIL.ssl
    EMAIL_TIMEOUT = 15  # without it a silent mail server blocks a thread of the worker for ever
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "KaiVox <no-reply@localhost>")
# The base of links in e-mails and documentation; by default the address that HOST listens on.
_NAME = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(  # noqa: S104 - compared, not bound
    HOST, f"[{HOST}]" if ":" in HOST else HOST
)
PUBLIC_URL = env.web_address("PUBLIC_URL", f"http://{_NAME}:{PORT}")

# The contact in security.txt: a mailto: or https: address.
SECURITY_CONTACT = env.text("SECURITY_CONTACT", "mailto:security@kaivox.example")
# Where GitHub publishes the public keys that sign its reports of leaked API keys; empty: no reports.
GITHUB_SECRET_SCANNING_KEYS = env.optional_web_address("GITHUB_SECRET_SCANNING_KEYS")

# --- REST framework --------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "kaivox.businesses.auth.authentication.HeaderKeyAuthentication",
        "kaivox.businesses.auth.authentication.BearerKeyAuthentication",
        "kaivox.businesses.auth.authentication.QueryKeyAuthentication",
        "kaivox.businesses.auth.session_keys.BrowserKeyAuthentication",
        "kaivox.businesses.auth.authentication.StaffSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["kaivox.businesses.auth.permissions.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": [
        "ratelimits.throttling.StarterThrottle",
        "ratelimits.throttling.ProThrottle",
        "ratelimits.throttling.EnterpriseThrottle",
    ],
    "DEFAULT_PARSER_CLASSES": ["kaivox.api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": [
        "kaivox.api.renderers.EnvelopeRenderer",
        "kaivox.pages.browsable.renderer.BrowsableRenderer",
    ],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "kaivox.api.negotiation.JsonFirstNegotiation",
    "DEFAULT_PAGINATION_CLASS": "kaivox.api.pagination.PageOrCursorPagination",
    "DEFAULT_FILTER_BACKENDS": ["kaivox.api.filters.StrictFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "kaivox.api.openapi.auto_schema.EnvelopeSchema",
    "EXCEPTION_HANDLER": "kaivox.api.exceptions.exception_handler",
    "NUM_PROXIES": TRUSTED_PROXIES,
    "UNAUTHENTICATED_USER": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "URL_FORMAT_OVERRIDE": "format",
}

CSRF_FAILURE_VIEW = "kaivox.urls.csrf_failure"

# --- Web pages that call the API (CORS) -----------------------------------------------------

# Each business lists its allowed origins (kaivox.businesses.auth.cors). Credentials are never allowed.
CORS_URLS_REGEX = r"^/(api/|mcp)"
CORS_ALLOW_METHODS = ["GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"]
CORS_ALLOW_HEADERS = [
    "accept",
    "authorization",
    "cache-control",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "mcp-method",
    "mcp-name",
    "mcp-protocol-version",
    "x-api-key",
    "x-call-id",
    "x-request-id",
    # Added by HTTP clients and by tracing in browsers; ignored here.
    "baggage",
    "sentry-trace",
    "traceparent",
    "tracestate",
    "x-requested-with",
]
CORS_EXPOSE_HEADERS = [
    "Content-Disposition",
    "Deprecation",
    "ETag",
    "Idempotent-Replayed",
    "Link",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Sunset",
    "WWW-Authenticate",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-Request-ID",
]

# --- Language, time, static files ------------------------------------------------------------

LANGUAGE_CODE = "en"
FORMAT_MODULE_PATH = "kaivox.pages.formats"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static" if EMBEDDED else BASE_DIR / "staticfiles"
# Django's default ignores the umask, and nginx, another user, reads those of the production profile.
FILE_UPLOAD_PERMISSIONS = 0o600 if EMBEDDED else 0o644
STATICFILES_DIRS = [BASE_DIR / "templates" / "static"]
# Files are looked up per request. Otherwise each test client scans all collected files first (0.09 s).
WHITENOISE_AUTOREFRESH = DEBUG or TESTING
if TESTING or DEBUG:
    _STATIC_STORAGE = "django.contrib.staticfiles.storage.StaticFilesStorage"
elif EMBEDDED:
    # Compression would add ten seconds to the first `make up`, for clients on the same machine.
    _STATIC_STORAGE = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
else:
    _STATIC_STORAGE = "whitenoise.storage.CompressedManifestStaticFilesStorage"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": _STATIC_STORAGE},
}

# --- Logs ------------------------------------------------------------------------------------

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", LOG_LEVELS)
# At INFO Celery logs every task, and an idle installation runs one every two seconds.
_TASK_LEVEL = "DEBUG" if LOG_LEVEL == "DEBUG" else "WARNING"

LOG_FORMAT = env.text("LOG_FORMAT", "text")
if LOG_FORMAT not in {"text", "json"}:
    raise ImproperlyConfigured(f"LOG_FORMAT is {LOG_FORMAT!r}: write text or json.")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "request_id": {"()": "kaivox.api.logging.RequestIdFilter"},
        "no_keys": {"()": "kaivox.api.logging.RedactSecretsFilter"},
    },
    "formatters": {
        "text": {
            "()": "kaivox.api.logging.RedactSecretsFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s",
        },
        "json": {"()": "kaivox.api.logging.JsonFormatter"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": LOG_FORMAT,
            "filters": ["request_id", "no_keys"],
        }
    },
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "django.server": {"handlers": ["stderr"], "propagate": False},
        "urllib3": {"level": "ERROR"},  # errors of webhook receivers are in the delivery log
        "celery.beat": {"level": _TASK_LEVEL},
        "celery.worker.strategy": {"level": _TASK_LEVEL},
        "celery.app.trace": {"level": _TASK_LEVEL},
        "axes": {"level": "WARNING"},  # without a line for each successful login
        "django.security.DisallowedHost": {"level": "CRITICAL"},  # scanners; they get a 400
        "opentelemetry": {"level": "CRITICAL"},  # kaivox.server.tracing logs an outage once
        "django.request": {"level": "ERROR"},  # 4xx are the client's errors and in the access log
    },
}

# --- Metrics and error reports ---------------------------------------------------------------

# Networks that may read /metrics; behind a proxy TRUSTED_PROXIES must be right.
METRICS_ALLOWED = env.networks("METRICS_ALLOWED", ["127.0.0.0/8", "::1/128"] if EMBEDDED else [])
# Port of a worker's own /metrics; 0: none.
WORKER_METRICS_PORT = env.integer("WORKER_METRICS_PORT", 0, minimum=0, maximum=65_535)
SENTRY_DSN = env.text("SENTRY_DSN", "")
if SENTRY_DSN:
    from kaivox.server import error_reporting

    error_reporting.start(SENTRY_DSN)
# Spans go to an OpenTelemetry collector; its SDK reads the other OTEL_* variables.
TRACING = bool(
    env.text("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    or env.text("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
) and not env.flag("OTEL_SDK_DISABLED", default=False)
if TRACING:
    from kaivox.server import tracing

    tracing.start()
    MIDDLEWARE.insert(
        MIDDLEWARE.index("kaivox.server.metrics.Metrics"), "kaivox.server.tracing.Tracing"
    )

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
        "kaivox.api.openapi.hooks.add_frame",
        "kaivox.pages.openapi_document.introduce",
        "kaivox.pages.openapi_document.add_webhooks",
    ],
}
