# One image for web, worker and beat; the command of a container selects the process (compose.yaml).
# Packages are installed in a build stage, so that the image contains no compiler and no pip cache.

FROM python:3.13.15-slim-bookworm@sha256:ed86c82274b3c69b52fb5820f358f0bd7df0b603332063cb5c6e32bd220c3e6e AS packages
WORKDIR /build
COPY requirements.txt requirements-telemetry.txt ./
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check -r requirements.txt -r requirements-telemetry.txt

FROM python:3.13.15-slim-bookworm@sha256:ed86c82274b3c69b52fb5820f358f0bd7df0b603332063cb5c6e32bd220c3e6e
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0 \
    PORT=8000
RUN groupadd --system --gid 10001 kaivox \
 && useradd --system --uid 10001 --gid kaivox --home-dir /app kaivox
WORKDIR /app
COPY --from=packages /opt/venv /opt/venv
COPY . .
# collectstatic needs valid settings but connects to nothing.
RUN DATABASE_URL=postgres://build@127.0.0.1/build REDIS_URL=redis://127.0.0.1 \
    SECRET_KEY=only-to-collect-static-files-while-the-image-is-built-00000000 \
    python manage.py collectstatic --no-input --verbosity 0 \
 && mkdir -p var && chown kaivox var
# Numeric, because Kubernetes' runAsNonRoot cannot resolve user names.
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
CMD ["gunicorn", "--config", "kaivox/server/gunicorn.py", "kaivox.wsgi"]
