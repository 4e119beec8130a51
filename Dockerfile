# One image for web, worker and beat; compose.yaml says which one a container is.
# The wheels are built apart, so that the image holds no compiler and no cache of pip.

FROM python:3.13-slim-bookworm AS packages
WORKDIR /build
COPY requirements.txt .
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check -r requirements.txt

FROM python:3.13-slim-bookworm
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0 \
    PORT=8000
RUN useradd --system --uid 10001 --home-dir /app kaivox
WORKDIR /app
COPY --from=packages /opt/venv /opt/venv
COPY . .
# Collecting needs settings, not servers: the values only have to be readable.
RUN DATABASE_URL=postgres://build@127.0.0.1/build REDIS_URL=redis://127.0.0.1 \
    SECRET_KEY=only-to-collect-static-files-while-the-image-is-built-00000000 \
    python manage.py collectstatic --no-input --verbosity 0 \
 && mkdir -p var && chown kaivox var
USER kaivox
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
CMD ["gunicorn", "--config", "kaivox/gunicorn.py", "kaivox.wsgi"]
