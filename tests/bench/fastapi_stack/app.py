"""The appointment list on FastAPI, a raw psycopg pool and uvloop: a baseline.

The same work for each request: the key by its prefix and digest with business, plan and agreed quota;
the exact quota of both windows by our own Lua script; 20 rows with the names that they show, and their
total, cached as ours is; the envelope. No conditional GET, filters, negotiation, CORS or error bodies.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import FastAPI, Request, Response
from psycopg_pool import AsyncConnectionPool
from redis.asyncio import Redis

SCRIPT = (Path(__file__).parents[3] / "ratelimits" / "limiter.lua").read_text(encoding="utf-8")
QUOTAS = {"starter": (30, 5_000), "pro": (100, 20_000), "enterprise": (500, 100_000)}

_KEY = """
SELECT k.digest, k.scopes, k.revoked_at, k.expires_at, b.id, b.timezone, b.plan, b.suspended_at,
  q.per_minute, q.per_day, q.ends_at
FROM businesses_apikey k JOIN businesses_business b ON b.id = k.business_id
LEFT JOIN ratelimits_quotaoverride q ON q.business_id = b.id
WHERE k.prefix = %s
"""
_ROWS = """
SELECT a.id, a.customer_id, c.name AS customer_name, a.service_id, s.name AS service, a.staff_id,
  p.name AS staff_name, a.start_time, a.end_time, a.duration_minutes, a.party_size, a.resource_ids,
  a.price, a.currency, a.status, a.confirmation, a.source, a.notes, a.cancellation_reason, a.call_id,
  a.series_id, a.visit_id, a.metadata, a.created_at, a.updated_at
FROM appointments_appointment a JOIN customers_customer c ON c.id = a.customer_id
JOIN services_service s ON s.id = a.service_id LEFT JOIN staff_staffmember p ON p.id = a.staff_id
WHERE a.business_id = %s ORDER BY a.start_time, a.id LIMIT %s
"""
# As ours does: a total is counted once for each version of the four tables.
_VERSION = """
SELECT COALESCE(SUM(changes), 0) FROM businesses_changecounter WHERE business_id = %s AND table_name IN
  ('appointments_appointment', 'customers_customer', 'services_service', 'staff_staffmember')
"""
_TOTAL = "SELECT count(*) FROM appointments_appointment WHERE business_id = %s"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.redis = Redis.from_url(os.environ["REDIS_URL"], protocol=2)
    app.state.sha = await app.state.redis.script_load(SCRIPT)
    async with AsyncConnectionPool(
        os.environ["DATABASE_URL"], min_size=4, max_size=8, kwargs={"autocommit": True}
    ) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan, openapi_url=None)


@app.get("/api/v1/appointments")
async def appointments(request: Request, per_page: int = 20) -> Response:
    secret = request.headers.get("x-api-key", "")
    async with app.state.pool.connection() as connection:
        key = await (await connection.execute(_KEY, [secret[:16]])).fetchone()
        now = datetime.now(UTC)
        digest = hashlib.sha256(secret.encode()).hexdigest()
        if key is None or not hmac.compare_digest(key[0], digest) or (key[2] and key[2] <= now):
            return Response(status_code=401)
        _, scopes, _, expires_at, business, zone, plan, suspended, per_minute, per_day, ends = key
        if (expires_at and expires_at <= now) or suspended or "appointments:read" not in scopes:
            return Response(status_code=403)
        if ends is None or ends <= now:
            per_minute, per_day = QUOTAS[plan]
        tag = f"bench:{{b{business}}}"
        admitted, used, reset, day_used, _, at = await app.state.redis.evalsha(
            app.state.sha, 2, f"{tag}:log", f"{tag}:state", per_minute, per_day, 1, ""
        )
        if not admitted:
            return Response(status_code=429)
        rows = await (await connection.execute(_ROWS, [business, per_page])).fetchall()
        total = await _total(connection, business)
    request_id = request.headers.get("x-request-id") or f"req_{uuid.uuid4().hex}"
    meta = {"request_id": request_id, "page": 1, "per_page": per_page, "total": total}
    meta["total_pages"] = -(-total // per_page)
    local = ZoneInfo(zone)
    body = {"success": True, "data": [shown(row, zone, local) for row in rows], "meta": meta}
    return Response(
        json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
        media_type="application/json",
        headers={
            "X-Request-ID": request_id,
            "X-RateLimit-Limit": str(per_minute),
            "X-RateLimit-Remaining": str(per_minute - used),
            "X-RateLimit-Reset": str(-(-reset // 1_000_000)),
            "RateLimit-Policy": f'"minute";q={per_minute};w=60, "day";q={per_day};w=86400',
            "RateLimit": f'"minute";r={per_minute - used};t={-(-(reset - at) // 1_000_000)}, '
            f'"day";r={per_day - day_used};t={86400 - at // 1_000_000 % 86400}',
        },
    )


async def _total(connection: Any, business: int) -> int:
    (version,) = await (await connection.execute(_VERSION, [business])).fetchone()
    name = f"bench:count:{business}:{version}"
    known = await app.state.redis.get(name)
    if known is not None:
        return int(known)
    (total,) = await (await connection.execute(_TOTAL, [business])).fetchone()
    await app.state.redis.set(name, total, ex=600)
    return int(total)


def shown(row: Any, zone: str, local: ZoneInfo) -> dict[str, Any]:
    start = row[7].astimezone(local)
    return {
        "id": row[0],
        "customer_id": row[1],
        "customer_name": row[2],
        "service_id": row[3],
        "service": row[4],
        "staff_id": row[5],
        "staff_name": row[6],
        "start_time": _instant(row[7]),
        "end_time": _instant(row[8]),
        "appointment_date": f"{start:%Y-%m-%d}",
        "appointment_time": f"{start:%H:%M}",
        "timezone": zone,
        "duration_minutes": row[9],
        "party_size": row[10],
        "resource_ids": row[11],
        "price": str(row[12]),
        "currency": row[13],
        "status": row[14],
        "confirmation": row[15],
        "source": row[16],
        "notes": row[17],
        "cancellation_reason": row[18],
        "call_id": row[19],
        "series_id": row[20],
        "visit_id": row[21],
        "metadata": row[22],
        "created_at": _instant(row[23]),
        "updated_at": _instant(row[24]),
    }


def _instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat()[:19] + "Z"
